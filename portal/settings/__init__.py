"""One file per storey. Only portal/settings/env.py reads the environment; the rest of the house reads django.conf."""
