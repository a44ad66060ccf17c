"""The HTTPS line to the Ministry and its nine services.

`link` moves bytes, `client` speaks the services, `reading` judges answers, `errors` names trouble by its consequence.
Knows no row and no queue: the caller decides what follows.
"""
