"""Who may sign in and what for: people, their memberships, and the access keys of schools' software."""
