import re
from dataclasses import replace

from PIL import Image

from alexnet.recipe import Recipe
from alexnet.recipes import FAST
from alexnet.weights import write_pretrained
from alexnet.weights.card import card


def test_the_front_matter_is_the_hubs(tiny_network):
    text = card(tiny_network, ["a"] * 10, FAST, {}, "")
    head = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)[1].splitlines()
    assert head[:2] == ["library_name: alexnet", "pipeline_tag: image-classification"]
    assert head[2:] == ["tags:", "- alexnet", "- image-classification"]


def test_the_card_tells_network_classes_data_and_results(tiny_network):
    text = card(tiny_network, ["cat", "dog"] * 5, FAST, {"top1": 0.8512345}, "Two\nthousand pictures.")
    assert "# AlexNet (tiny), 10 classes" in text
    assert f"{tiny_network.parameters:,} parameters, pictures of 24 × 24 as RGB of 0–255 minus the mean" in text
    assert "`cat`, `dog`, `cat`" in text
    assert "Data: Two thousand pictures." in text
    assert "| `top1` | 0.8512 |" in text


def test_the_recipe_is_told_by_what_it_changes(tiny_network):
    text = card(tiny_network, ["a"] * 10, Recipe(lr=0.05), {}, "")
    assert re.findall(r"^\| `.*", text, re.MULTILINE) == ["| `lr` | `0.01` | `0.05` |"]
    assert "None were measured." in text
    assert "Data: not told." in text
    assert "The recipe is the paper's." in card(tiny_network, ["a"] * 10, Recipe(), {}, "")


def test_many_classes_are_not_all_listed(tiny_network):
    text = card(tiny_network.with_classes(1000), [f"class {n}" for n in range(1000)], FAST, {}, "")
    assert "`class 19` … and 980 more, in `config.json`" in text
    assert "`class 20`" not in text


def test_names_of_classes_are_no_markup(tiny_network):
    odd = ["a`b", "c\n# d", "| e |", "[f](http://x)", *"ghijkl"]
    text = card(replace(tiny_network, name="two\nlines"), odd, FAST, {}, "")
    assert "`a'b`, `c # d`, `/ e /`, `[f](http://x)`, `g`" in text
    assert "# AlexNet (two lines), 10 classes" in text


def test_every_input_has_its_words(tiny_network):
    from typing import get_args

    from alexnet.architectures import INPUTS, Input

    assert set(INPUTS) == set(get_args(Input))


def test_the_lines_of_python_run(ours, statistics, tmp_path, capsys):
    write_pretrained(tmp_path / "mine", ours, statistics, [f"class {n}" for n in range(10)], FAST)
    code = re.search(r"```python\n(.*?)```", (tmp_path / "mine/README.md").read_text(), re.DOTALL)[1]
    Image.new("RGB", (40, 30)).save(tmp_path / "picture.jpg")
    exec(code.replace("FOLDER", str(tmp_path / "mine")).replace("picture.jpg", str(tmp_path / "picture.jpg")), {})
    assert "Guess(label='class" in capsys.readouterr().out
