"""Descriptions lose what they say about their light, keep everything else, and get another light."""

import time

import pytest

from lumenmill_prompter.content import content_of, relit_description


@pytest.mark.parametrize(
    ("description", "content"),
    [
        ("A kettle on an oak table. Hard amber light comes low from the left.", "A kettle on an oak table."),
        ("a kettle, lit by a lamp on the left, with crisp shadows, plus a faint fill", "A kettle."),
        ("A kettle lit by a warm softbox from the left, on a slate table.", "A kettle, on a slate table."),
        ("In soft light from the left, a cat sleeps on a bench", "A cat sleeps on a bench."),
        ("Lit by a cool lamp from behind, with long shadows: a vase on a shelf.", "A vase on a shelf."),
        ("A boat on a lake at sunset in golden light from behind.", "A boat on a lake."),
        ("A man under a street lamp in a dimly lit alley. Shadows are soft.", "A man under a street lamp in an alley."),
        ("A portrait of a man with strong shadows on his face", "A portrait of a man."),
        ("A bust. The background glows behind the subject in amber light. The picture is dark.", "A bust."),
        ("A hall with windows letting in natural light. Soft light falls on a chair. It comes from above.",
         "A hall with windows."),
        ("Two people on a beach. They wear hats. The sun is low and casts long shadows.",
         "Two people on a beach. They wear hats."),
        ("A portrait of a woman in a red dress, her face illuminated by soft light from the left, holding a cup.",
         "A portrait of a woman in a red dress, holding a cup."),
        ("A man with one side of his face lit by a lamp, reading a book.", "A man, reading a book."),
        ("A kettle lit by a lamp on the left, casting crisp lines.", "A kettle."),
        ("A kettle, with a faint white fill from the right, a cool rim from behind, a warm key at 45 degrees",
         "A kettle."),
        ("A kettle on a table, and a warm key", "A kettle on a table."),
    ],
)  # fmt: skip
def test_the_light_is_left_out(description: str, content: str) -> None:
    assert content_of(description) == content


@pytest.mark.parametrize(
    "content",
    [
        "A woman with light hair in a light blue dress at a window, reading.",
        "A candlestick, a lamp and a string of fairy lights on a light oak shelf.",
        "A red car at a traffic light on a street under a cloudy sky.",
        "A long exposure of a street. Car lights leave trails.",
        "A dark wooden table with split logs and bright red apples.",
        "A key on a table.",
        "A house key.",
        "A key is on a table.",
        "A car key on a wooden desk.",
        "A table with a letter, a pen, and a brass key.",
        "Boxes fill the room.",
        "A bicycle wheel with a chrome rim.",
        "A glass with a golden rim beside a plate.",
        "A dog with golden highlights in its fur lies on a sofa.",
        "A lamp lights a desk with books, a pen and a cup.",
        "The light from the window falls on a vase with three tulips.",
        "A lighthouse on a cliff: waves break. Gulls fly in the night sky.",
    ],
)
def test_things_are_kept(content: str) -> None:
    assert content_of(content) == content


@pytest.mark.parametrize(
    "description",
    [
        "Soft warm light comes from the left. The picture is bright.",
        "A picture mostly in grey and brown. Its brighter parts suggest warm light.",  # colours depend on the light
        "It is brightly lit.",
        "The picture has high contrast.",
        "A lamp on the left lights the scene.",
        "Light of two colours: red light from the left and blue light from the right.",
        "",
    ],
)
def test_a_description_of_light_alone_has_no_content(description: str) -> None:
    assert content_of(description) == ""
    assert relit_description(description, "cool light from the right") == "Cool light from the right."


def test_a_relit_description_has_the_content_and_the_other_light() -> None:
    one = relit_description("A kettle on a table. Soft light falls from above.", "a lamp on the left")
    assert one == "A kettle on a table, lit by a lamp on the left."
    two = relit_description("Two people on a beach. They wear hats.", "a low sun")
    assert two == "Two people on a beach. They wear hats. The scene is lit by a low sun."


@pytest.mark.parametrize("part", [",", " ", "a-", "in ", "lit ", ", lit by", "very ", "x: ", "a, b ", "traffic light "])
def test_the_longest_descriptions_are_read_at_once(part: str) -> None:
    started_s = time.perf_counter()
    content_of(part * (20_000 // len(part)))
    assert time.perf_counter() - started_s < 2.0
