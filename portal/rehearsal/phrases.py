"""Sentences teachers write, long enough that a record has its usual size. Plain data and how to draw from it."""

from random import Random

SUBJECT = (
    "Nắm vững kiến thức cơ bản của môn học, vận dụng khá linh hoạt vào bài tập và tình huống thực tế",
    "Có tiến bộ rõ rệt so với học kì trước, cần rèn thêm kĩ năng trình bày bài cẩn thận và mạch lạc hơn",
    "Hăng hái phát biểu, chuẩn bị bài đầy đủ, biết hợp tác với các bạn khi làm việc nhóm",
    "Tiếp thu bài tốt, hoàn thành các yêu cầu cần đạt của môn học và biết tự đánh giá kết quả của mình",
    "Hiểu bài, làm được các bài tập ở mức độ thông hiểu, cần luyện thêm các bài vận dụng",
    "Có ý thức học tập, cần mạnh dạn hơn khi trao đổi ý kiến trước lớp và đọc thêm tài liệu tham khảo",
)
QUALITY = (
    "Lễ phép với thầy cô và người lớn, đoàn kết và biết giúp đỡ bạn bè trong học tập cũng như trong sinh hoạt",
    "Trung thực, có trách nhiệm với công việc được giao, giữ gìn tài sản của lớp và của trường",
    "Yêu quê hương, tích cực tham gia hoạt động tập thể, chăm chỉ rèn luyện hằng ngày",
)
COMPETENCE = (
    "Biết tự phục vụ, tự quản, chủ động thực hiện nhiệm vụ học tập và biết lắng nghe ý kiến của các bạn",
    "Diễn đạt rõ ràng, hợp tác tốt trong nhóm, bước đầu biết đề xuất cách giải quyết vấn đề mới",
    "Biết tìm kiếm sự hỗ trợ khi cần thiết và chia sẻ kết quả học tập với bạn",
)
SPECIAL = (
    "Đọc hiểu và trình bày tốt, tính toán nhanh, thích tìm hiểu thế giới xung quanh và quý trọng cái đẹp",
    "Có năng khiếu vẽ và hát, vận động nhịp nhàng, tính toán cẩn thận",
    "Kĩ năng ngôn ngữ và tính toán tốt, biết quan sát và mô tả các hiện tượng tự nhiên gần gũi",
)
HOMEROOM = (
    "Em ngoan, chăm học, thực hiện tốt nội quy của nhà trường; hoàn thành các yêu cầu cần đạt của chương trình",
    "Em có nhiều cố gắng trong năm học, kết quả học tập tiến bộ đều; cần phát huy tinh thần tự giác trong dịp hè",
    "Em hòa đồng với bạn bè, tích cực trong phong trào của lớp; nên đọc thêm sách và rèn luyện thể thao mỗi ngày",
    "Gia đình phối hợp tốt với nhà trường, em đi học chuyên cần, đúng giờ và chuẩn bị bài chu đáo",
)


def sentences(rng: Random, phrases: tuple[str, ...], count: int) -> str:
    """`count` different sentences of a kind."""
    return ". ".join(rng.sample(phrases, min(count, len(phrases)))) + "."
