"""A synthetic province of any size: its PKI, schools, people and signed records, deterministic by seed.

This room stands for the parties outside the portal (schools, their software, certification authorities). It must never
import `signing`, so that what it signs is evidence from somebody else, and no room that does the work imports it.
"""
