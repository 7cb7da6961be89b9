"""Items of one template are told from items that begin alike by chance."""

from __future__ import annotations

from benchdesign.benchmarks.item_templates import find_templates, is_templated
from benchdesign.benchmarks.items import Item


def items_of(*prompts: str) -> list[Item]:
    return [
        Item(id=str(row), row=row, text=prompt, content=(), prompt=prompt)
        for row, prompt in enumerate(prompts)
    ]


NAMES = ("Ada", "Ben", "Cleo", "Dan")


def test_items_that_differ_in_a_name_and_numbers_share_a_template() -> None:
    prompts = [
        f"{name} has {n} apples and gives 2 to a friend. How many apples are left over?"
        for n, name in enumerate(NAMES)
    ]
    templates = find_templates(items_of(*prompts, "Who painted the ceiling of the chapel?"))
    assert len(set(templates[:4].tolist())) == 1 and templates[0] >= 0 and templates[4] == -1


def test_items_that_differ_at_the_end_share_a_template() -> None:
    prompts = [f"Is the following word a noun or a verb in English: {name}" for name in NAMES]
    assert (find_templates(items_of(*prompts)) >= 0).all()


def test_questions_that_begin_alike_are_no_template() -> None:
    prompts = [
        "What is the name of the river that runs through the old capital of Austria?",
        "What is the name of the bird that lays its eggs in the nests of others?",
        "What is the name of the tool with which one measures the pressure of air?",
        "What is the name of the poet who wrote of daffodils beside a lake?",
    ]
    assert (find_templates(items_of(*prompts)) == -1).all()


def test_set_of_templates_is_templated() -> None:
    prompts = [f"Flip a coin {n} times in a row; is it heads up at last?" for n in range(5)]
    assert is_templated(items_of(*prompts))
    assert not is_templated(items_of("Who wrote it?", "When was that?")) and not is_templated([])
