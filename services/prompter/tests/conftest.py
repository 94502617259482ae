"""Fixtures of the prompter's tests."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest

from lumenmill.prompter.v1 import prompter_pb2, prompter_pb2_grpc
from lumenmill_common.testing import running_family
from lumenmill_prompter.families import family_from
from lumenmill_prompter.settings import PrompterSettings

# Test modules are imported one by one, so that their folder is not on the path by itself.
sys.path.insert(0, str(Path(__file__).parent))
from chat_endpoint import API_KEY, ChatEndpoint


@pytest.fixture
def endpoint() -> Iterator[ChatEndpoint]:
    server = ChatEndpoint()
    yield server
    server.close()


@pytest.fixture
def openai_settings(endpoint: ChatEndpoint, tmp_path: Path) -> PrompterSettings:
    key_file = tmp_path / "key"
    key_file.write_text(API_KEY + "\n")
    return PrompterSettings(
        family="openai",
        openai_base_url=endpoint.base_url,
        openai_model="tiny",
        openai_api_key_file=key_file,
        openai_timeout_s=1.0,
        openai_max_attempts=3,
        openai_max_backoff_s=0.2,
        openai_concurrency=1,
        openai_usd_per_million_prompt_tokens=1.0,
        openai_usd_per_million_completion_tokens=4.0,
        listen_address="127.0.0.1:0",
        drain_s=0.0,
    )


@pytest.fixture
async def channel(openai_settings: PrompterSettings) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the LLM family before `endpoint`."""
    async with running_family(family_from(openai_settings), prompter_pb2.DESCRIPTOR) as opened:
        yield opened


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> prompter_pb2_grpc.PrompterServiceStub:
    return prompter_pb2_grpc.PrompterServiceStub(channel)
