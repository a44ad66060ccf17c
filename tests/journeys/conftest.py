"""Journeys use the registered province of the portal's tests."""

import importlib.util
import sys
from pathlib import Path

_spec = importlib.util.spec_from_file_location("portal_cast", Path(__file__).parents[1] / "portal" / "conftest.py")
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
sys.modules["portal_cast"] = _module
_spec.loader.exec_module(_module)

cast, hand_in, keys = _module.cast, _module.hand_in, _module.keys
pki, pki_folder, province = _module.pki, _module.pki_folder, _module.province
