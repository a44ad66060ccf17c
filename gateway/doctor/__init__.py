"""The connection doctor: walks the line to the Ministry step by step and says what is wrong, why, and who to call.

Order: files → our certificate → name → route and source address → TCP → TLS → clock → address as the other side sees it
→ token → harmless call → a question about a message that does not exist. A step that needs an earlier one is not run
after that one failed. Changes nothing, sends no package; used by `manage.py endpoint check` and by the page.
"""

from gateway.doctor.examination import examine, healthy
from gateway.doctor.finding import Finding, Outcome

__all__ = ["Finding", "Outcome", "examine", "healthy"]
