"""The rule library: kinds of rules, generic, told by parameters what they look at.

`KINDS` holds them all; a profile's rules.toml names them. Importing the modules below fills it.
"""

from portal.records.profiles.rules import agreement, dates, subjects, totals
from portal.records.profiles.rules.base import KINDS, Case, Hit, Kind, Params, Ref, Rule

__all__ = ["KINDS", "Case", "Hit", "Kind", "Params", "Ref", "Rule", "agreement", "dates", "subjects", "totals"]
