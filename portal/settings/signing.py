"""The signing storey, as the portal hands it values: folders of anchors and of the department's key.

portal/records/conf.py turns these into frozen values; `signing` itself reads no setting.
"""

from portal.settings.env import ENV

SIGNING_TRUST_DIR = ENV.places.secrets / "trust"
SIGNING_KEY_FILE = ENV.places.secrets / "department.p12"
SIGNING_KEY_PASSPHRASE_FILE = ENV.places.secrets / "department.pass"
# A key in a file is for rehearsal; production refuses it unless it says so explicitly.
SIGNING_ALLOW_KEY_FILE = ENV.mode != "production"
