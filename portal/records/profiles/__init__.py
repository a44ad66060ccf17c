"""Profiles: the generations of the record file, each a folder of data, and the engine that examines records by them.

The public face: `registry()`, `Profile.examine`, `Finding`, `RuleContext`. Knows no database and no request.
"""

from portal.records.profiles.errors import ProfileBroken
from portal.records.profiles.findings import Finding, RuleContext, Severity
from portal.records.profiles.profile import Profile
from portal.records.profiles.registry import Registry, load_all, registry
from portal.records.profiles.rulebook import rulebook

__all__ = [
    "Finding",
    "Profile",
    "ProfileBroken",
    "Registry",
    "RuleContext",
    "Severity",
    "load_all",
    "registry",
    "rulebook",
]
