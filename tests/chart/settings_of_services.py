"""The names of the settings of each service, by which the chart recognises misspelt ones.

`python -m tests.chart.settings_of_services` writes them; it needs the neural services (`make neural`).
`tests/neural/test_chart_settings.py` fails when they are outdated.
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
    """Return the file as it should be."""
    head = "# Written by `python -m tests.chart.settings_of_services`: settings of each service, LUMENMILL_<NAME>.\n"
    names = {service: sorted(settings.model_fields) for service, settings in _SETTINGS.items()}
    return head + yaml.safe_dump(names, default_flow_style=None, width=120)


if __name__ == "__main__":
    FILE.write_text(written())
