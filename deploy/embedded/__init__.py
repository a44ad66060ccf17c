"""The embedded mode: PostgreSQL, Valkey, the portal's processes and the simulator under one supervisor.

Never used in production, where systemd and the machine's own servers do this work.
"""
