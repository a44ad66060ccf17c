"""The pages for people: schools' clerks and heads, the department's officers, inspectors and administrators.

Reading order: access (who may open what) → urls → views → read (what a page shows) → templates.
Pages read rows and call one use case of the domain; they decide nothing about records.
"""
