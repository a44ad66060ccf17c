"""The signing storey, as the portal hands it values: folders of anchors, the department's key, how sealing is done.

portal/records/conf.py turns these into frozen values; `signing` itself reads no setting. Secrets stand in files whose
paths are named here, never in the environment; in attended mode there is no PIN anywhere, an officer types it.
"""

from portal.settings.env import ENV

SIGNING_TRUST_DIR = ENV.places.secrets / "trust"
# automatic: packages are sealed as they fill; attended: they wait for an officer with the PIN (USB token).
SIGNING_SEALING = ENV.sealing
# Another officer must have confirmed before the PIN is taken.
SIGNING_FOUR_EYES = ENV.four_eyes
# Where the key lives: a PKCS#12 file, a PKCS#11 token or module, a remote service (Cloud Signature Consortium API v2).
SIGNING_KEY_KIND = ENV.key_kind
SIGNING_KEY_FILE = ENV.places.secrets / "department.p12"
SIGNING_KEY_PASSPHRASE_FILE = ENV.places.secrets / "department.pass"
# A key in a file is for rehearsal; production refuses it unless it says so explicitly.
SIGNING_ALLOW_KEY_FILE = ENV.mode != "production" or ENV.allow_key_file
SIGNING_KEY_CERTIFICATE = ENV.key_certificate or ENV.places.secrets / "department.pem"
SIGNING_KEY_CHAIN = ENV.key_chain
SIGNING_HSM_MODULE = ENV.hsm_module
SIGNING_HSM_TOKEN = ENV.hsm_token
SIGNING_HSM_KEY = ENV.hsm_key
SIGNING_PIN_FILE = ENV.pin_file
SIGNING_REMOTE_URL = ENV.remote_url
SIGNING_REMOTE_CREDENTIAL = ENV.remote_credential
SIGNING_REMOTE_TOKEN_FILE = ENV.remote_token_file
