"""The names of the settings that each service reads, for the chart to know misspelt ones by.

`python -m tests.chart.settings_of_services` writes them, where the neural services are installed (`make neural`);
`tests/neural/test_chart_settings.py` says when they are old.
"""

import yaml
from lumenmill_captioner.models import VisionLanguageSettings
from lumenmill_captioner.settings import CaptionerSettings
from lumenmill_common.settings import ServiceSettings
from lumenmill_neural.settings import NeuralSettings
from lumenmill_prompter.settings import PrompterSettings
from lumenmill_studio.settings import StudioSettings
from lumenmill_video.settings import VideoSettings

from .helm import CHART

FILE = CHART / "files" / "settings.yaml"
_SETTINGS: dict[str, type[ServiceSettings]] = {
    "captioner": CaptionerSettings,
    "captioner-neural": VisionLanguageSettings,
    "imager": NeuralSettings,
    "prompter": PrompterSettings,
    "relighter": NeuralSettings,
    "studio": StudioSettings,
    "video": VideoSettings,
}


def written() -> str:
    """The file of now."""
    head = "# Written by `python -m tests.chart.settings_of_services`: what each service reads as LUMENMILL_<NAME>.\n"
    names = {service: sorted(settings.model_fields) for service, settings in _SETTINGS.items()}
    return head + yaml.safe_dump(names, default_flow_style=None, width=120)


if __name__ == "__main__":
    FILE.write_text(written())
