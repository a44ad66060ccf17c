"""The addresses of the pages. The department's begin with so/; every other one shows only what its reader may see."""

from django.urls import path

from portal.web.views import (
    account,
    batches,
    certificates,
    department,
    endpoint,
    hand_in,
    home,
    journal,
    queue,
    recalls,
)
from portal.web.views import records as record_views

urlpatterns = [
    path("", home.home, name="home"),
    path("dang-nhap/", account.sign_in, name="sign-in"),
    path("dang-xuat/", account.sign_out, name="sign-out"),
    path("doi-mat-khau/", account.change_password, name="change-password"),
    path("toi/", account.me, name="me"),
    path("chon-truong/", account.choose_school, name="choose-school"),
    path("ngon-ngu/", account.choose_language, name="language"),
    path("trang-thai/", endpoint.status, name="status"),
    path("nop-hoc-ba/", hand_in.hand_in, name="hand-in"),
    path("lo/", batches.batches, name="batches"),
    path("lo/<uuid:batch_id>/", batches.batch, name="batch"),
    path("lo/<uuid:batch_id>/tien-do/", batches.batch_progress, name="batch-progress"),
    path("lo/<uuid:batch_id>/hoc-ba/", batches.batch_records, name="batch-records"),
    path("lo/<uuid:batch_id>/kiem-tra-tiep/", batches.batch_resume, name="batch-resume"),
    path("lo/<uuid:batch_id>/viec-can-sua.<str:kind>", batches.batch_findings, name="batch-findings"),
    path("hoc-ba/<int:record_id>/", record_views.record, name="record"),
    path("hoc-ba/<int:record_id>/xml/", record_views.record_xml, name="record-xml"),
    path("hoc-ba/<int:record_id>/tep.xml", record_views.record_file, name="record-file"),
    path("hoc-ba/<int:record_id>/chu-ky/", record_views.record_signatures, name="record-signatures"),
    path("hoc-ba/<int:record_id>/thu-hoi/", record_views.record_recall, name="record-recall"),
    path("thu-hoi/", recalls.school_recalls, name="school-recalls"),
    path("chung-thu-so/", certificates.school_certificates, name="school-certificates"),
    path("so/tong-quan/", department.overview, name="overview"),
    path("so/tong-quan/so-lieu/", department.overview_figures, name="overview-figures"),
    path("so/truong/", department.schools, name="schools"),
    path("so/truong/<str:code>/", department.school, name="school"),
    path("tra-cuu/", department.search, name="search"),
    path("so/hang-doi/", queue.queue, name="queue"),
    path("so/hang-doi/song/", queue.queue_live, name="queue-live"),
    path("so/hang-doi/<uuid:submission_id>/", queue.submission, name="submission"),
    path("so/hang-doi/<uuid:submission_id>/<slug:act>/", queue.submission_act, name="submission-act"),
    path("so/duong-truyen/", endpoint.endpoint, name="endpoint"),
    path("so/duong-truyen/kham/", endpoint.endpoint_check, name="endpoint-check"),
    path("so/duong-truyen/song/", endpoint.endpoint_live, name="endpoint-live"),
    path("so/chung-thu-so/", certificates.certificates, name="certificates"),
    path(
        "so/chung-thu-so/<int:certificate_id>/<slug:act>/", certificates.certificate_decide, name="certificate-decide"
    ),
    path("so/thu-hoi/", recalls.recalls, name="recalls"),
    path("so/thu-hoi/<uuid:recall_id>/<slug:act>/", recalls.recall_decide, name="recall-decide"),
    path("so/nhat-ky/", journal.journal, name="journal"),
]
