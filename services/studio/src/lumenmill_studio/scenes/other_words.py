"""List the words of prompts that name nothing to draw: grammar, light, camera, style, and general adjectives."""

from collections.abc import Sequence

__all__ = [
    "AMBIGUOUS_HEADS",
    "ARTICLES",
    "BOUNDARIES",
    "IGNORED_HEADS",
    "IGNORED_PHRASES",
    "LOCATIVES",
    "NUMBERS",
    "PREPOSITIONS",
    "is_adjective",
    "is_light",
    "is_of_light",
]

ARTICLES = frozenset({
    "a", "an", "the", "one", "single", "lone", "some", "another", "each", "every", "this", "that", "these", "those",
    "its", "their", "his", "her", "my", "our", "your", "no",
})  # fmt: skip
NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "twelve": 12, "dozen": 12, "pair": 2, "pair of": 2, "couple of": 2, "few": 3, "several": 3, "trio of": 3,
    "dozen of": 12, "many": 9,
}  # fmt: skip
LOCATIVES = frozenset(
    {"on", "in", "by", "before", "among", "against", "near", "at", "inside", "within", "upon", "amid"}
)
PREPOSITIONS = LOCATIVES | frozenset({
    "of", "under", "beneath", "beside", "besides", "from", "with", "without", "behind", "above", "below", "over",
    "around", "between", "into", "onto", "through", "across", "along", "outside", "next", "to", "towards", "toward",
    "as", "like", "during", "after", "underneath", "atop", "alongside", "for", "off", "out", "up", "down", "via",
})  # fmt: skip
# Words that end a noun phrase.
BOUNDARIES = frozenset({
    "and", "or", "but", "while", "which", "who", "whose", "where", "when", "plus", "is", "are", "was", "were", "be",
    "been", "has", "have", "had", "it", "they", "he", "she", "we", "you", "i", "there", "stands", "stand", "sits",
    "sit", "lies", "lie", "rests", "rest", "leans", "hangs", "made", "cast", "casts", "lit", "shown", "seen", "shot",
    "set", "placed", "taken", "show", "shows", "make", "draw", "render", "create", "generate", "please", "looks",
    "only", "also", "very", "just", "not", "all", "both", "so", "then", "than", "too", "together",
})  # fmt: skip

IGNORED_PHRASES = frozenset({
    "still life", "golden hour", "blue hour", "depth of field", "close up", "film grain", "high resolution",
    "black and white", "art station", "octane render", "unreal engine", "ray tracing", "best quality",
    "contre jour", "rule of thirds", "chiaroscuro", "three quarter",
})  # fmt: skip
_LIGHT = frozenset({
    "light", "lights", "lighting", "shadow", "shadows", "sun", "glow", "glare", "backlight", "sunlight", "sunshine",
    "sunset", "sunrise", "dusk", "dawn", "twilight", "morning", "evening", "afternoon", "noon", "midday", "night",
    "nighttime", "day", "daytime", "daylight", "moonlight", "candlelight", "firelight", "skylight", "sky",
    "overcast", "haze", "hour", "softbox", "fill", "spotlight", "floodlight", "highlight", "highlights",
    "reflection", "reflections", "illumination", "brightness", "darkness", "shade", "contrast", "warmth", "ray",
    "rays", "beam", "beams", "silhouette", "kelvin", "weather", "sidelight", "backlighting", "tungsten",
    "fluorescent", "neon", "chiaroscuro", "gel", "gels", "strobe", "reflector", "bounce", "diffuser",
})  # fmt: skip
_CAMERA = frozenset({
    "photo", "photograph", "photography", "image", "images", "shot", "focus", "bokeh", "angle",
    "view", "viewpoint", "perspective", "framing", "closeup", "close-up", "macro", "exposure", "aperture",
    "movie", "video", "clip", "resolution", "detail", "details", "background", "foreground", "middle",
    "center", "centre", "portrait", "landscape", "zoom", "mm", "hdr", "dslr", "tone", "tones", "render",
    "rendering", "level", "eye-level", "kodak", "leica", "canon", "nikon", "hasselblad", "polaroid",
})  # fmt: skip
# Things too, with an indefinite article: "a camera".
AMBIGUOUS_HEADS = frozenset({
    "camera", "lens", "film", "frame", "key", "rim", "moon", "flash", "tripod", "eye",
})  # fmt: skip
_DIRECTIONS = frozenset({
    "left", "right", "front", "back", "rear", "side", "sides", "top", "bottom", "above", "below", "behind", "outside",
    "overhead", "direction", "distance", "corner", "edge", "lower", "upper",
})  # fmt: skip
_STYLE = frozenset({
    "scene", "composition", "arrangement", "group", "study", "setting", "style", "mood", "atmosphere", "look",
    "texture", "textures", "color", "colors", "colour", "colours", "palette", "quality", "masterpiece", "artstation",
    "realism", "realistic", "photorealistic", "photoreal", "cinematic", "minimalist", "minimal", "aesthetic", "art",
    "artwork", "painterly", "baroque", "vintage", "material", "materials", "surface", "surfaces", "object",
    "objects", "subject", "subjects", "thing", "things", "item", "items", "piece", "pieces", "design", "shape",
    "size", "way", "manner", "feeling", "sense", "effect", "drama", "elegance", "beauty", "indoors", "outdoors",
    "outdoor", "indoor", "magazine", "advertisement", "product", "finish", "lot", "trending", "realist", "grain",
    "picture", "pose", "simplicity", "display",
})  # fmt: skip
IGNORED_HEADS = _LIGHT | _CAMERA | _DIRECTIONS | _STYLE | IGNORED_PHRASES

_ADJECTIVES = frozenset({
    "warm", "cool", "cold", "hot", "soft", "hard", "harsh", "dim", "bright", "dark", "gentle", "strong", "moody",
    "old", "new", "young", "big", "small", "large", "tiny", "huge", "tall", "short", "round", "square", "flat", "thin",
    "thick", "smooth", "rough", "shiny", "glossy", "matte", "simple", "plain", "calm", "quiet", "clean", "clear",
    "crisp", "sharp", "deep", "rich", "fine", "nice", "modern", "antique", "ancient", "rustic", "low", "high", "long",
    "wide", "narrow", "empty", "full", "natural", "neutral", "pale", "heavy", "elegant", "ornate", "sunny",
    "cloudy", "foggy", "misty", "dusty", "hazy", "rainy", "sleek", "subtle", "vivid", "vibrant", "serene", "even",
    "golden", "pretty", "lovely", "pristine", "abstract", "intimate", "classic", "ultra", "highly", "more", "less",
})  # fmt: skip
_LIGHT_ADJECTIVES = frozenset(
    {"warm", "cool", "cold", "soft", "hard", "bright", "dim", "faint", "bluish", "strong", "gentle"}
)
_ADJECTIVE_ENDINGS = ("ful", "less", "ous", "ive", "ic", "able", "ible", "ish", "ly", "ed", "ing", "ary", "esque")
_LIGHT_ENDINGS = ("light", "lights", "lit", "lighting")


def is_of_light(words: Sequence[str]) -> bool:
    """Return whether adjectives describe light rather than a thing: "a warm rim"."""
    return any(word in _LIGHT_ADJECTIVES for word in words)


def is_adjective(word: str) -> bool:
    """Return whether a word that stands alone, without an article, is more likely an adjective than a noun."""
    return word in _ADJECTIVES or word.endswith(_ADJECTIVE_ENDINGS)


def is_light(word: str) -> bool:
    """Return whether a word names light, or a time of day."""
    return word in _LIGHT or word.endswith(_LIGHT_ENDINGS)
