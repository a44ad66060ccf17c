"""Views: translate in, one call into the domain or into `portal.web.read`, translate out."""
