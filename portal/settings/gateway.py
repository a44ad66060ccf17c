"""The gateway storey: where the endpoint description lies. Every other value of the line stands in that one file."""

from portal.settings.env import ENV

GATEWAY_ENDPOINT_FILE = ENV.endpoint_file or ENV.places.endpoint_file
SIMULATOR_PORT = ENV.simulator_port
