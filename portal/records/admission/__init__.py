"""Admission: from a hand-in's bytes to a verdict on every record in it, before any row is written.

Reading order: `opening` (cut out without touching a byte), `lists` (the school's signature over the whole), `court`
(what a batch is judged by), `judging` (one record), `signers` (whose certificate may sign), `wording` (verdicts as
findings), `standing` (against the other records of the province).
"""
