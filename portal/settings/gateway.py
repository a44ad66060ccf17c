"""The gateway storey: where the endpoint description lies. Every other value of the line stands in that one file."""

from portal.settings.env import ENV

GATEWAY_ENDPOINT_FILE = ENV.endpoint_file or ENV.places.endpoint_file
SIMULATOR_PORT = ENV.simulator_port

# The four things the gateway asks of the portal, by name: it imports nothing from above.
GATEWAY_NOTIFY = "portal.audit.notices.take"
GATEWAY_CERTIFICATES = "portal.records.reporting.certificates"
GATEWAY_SEAL = "portal.records.reporting.seal_statement"
GATEWAY_SEAL_CERTIFICATE = "portal.records.reporting.seal_certificate"
