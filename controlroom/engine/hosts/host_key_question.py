"""What a link asks a person about a host key that nobody has seen."""

from controlroom.domain.questions import Question, QuestionKind
from controlroom.engine.hosts.channel import HostKeyUnknown


def host_key_question(host: str, unknown: HostKeyUnknown, at: int) -> Question:
    """Ask whether a key is the host's; `at`: UTC ms."""
    return Question(
        id=question_id(unknown),
        kind=QuestionKind.HOST_KEY,
        title=f"Is this the key of {host}? {unknown.fingerprint}",
        text=(
            f"{unknown.place or host} shows a host key that we have never seen: {unknown.fingerprint}"
            f" ({unknown.algorithm}).\n"
            "Compare it with what the machine itself says, over a way you trust (its console, who runs it):\n"
            "    for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $key; done\n"
            "Allow only if one of its lines shows just this fingerprint."
        ),
        asked=at,
    )


def question_id(unknown: HostKeyUnknown) -> str:
    """Give the id of the question about a key."""
    return f"host_key:{unknown.fingerprint}"
