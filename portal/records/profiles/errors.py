"""What goes wrong with a profile folder. A portal with a broken profile must not start."""


class ProfileBroken(Exception):
    """A profile folder cannot be used. Names the file and the key, so that whoever edits the folder finds the place."""

    code = "PROFILE_BROKEN"

    def __init__(self, file: str, key: str, problem: str) -> None:
        super().__init__(f"Hồ sơ quy định học bạ bị hỏng: tệp {file}, khóa {key}: {problem}")
        self.file = file
        self.key = key
        self.problem = problem
