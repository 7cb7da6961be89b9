"""Common names of fields, most specific first, without case and punctuation."""

from __future__ import annotations

import re

__all__ = [
    "ANSWER_NAMES",
    "CATEGORY_NAMES",
    "CHOICES_NAMES",
    "COLUMN_FAMILY",
    "CONTEXT_NAMES",
    "DISTRACTORS",
    "ID_NAMES",
    "LICENCE_NAMES",
    "PROMPT_NAMES",
    "SOURCE_NAMES",
]

# fmt: off
PROMPT_NAMES = (
    "question", "prompt", "problem", "questionstem", "stem", "query", "questiontext", "input",
    "instruction", "turns", "messages", "conversation", "conversations", "ctx", "sentence",
    "statement", "claim", "conclusion", "hypothesis", "text", "utterance", "sentmore", "goal",
    "body", "content", "title",
)
CONTEXT_NAMES = (
    "context", "passage", "article", "paragraph", "story", "background", "premises", "premise",
    "support", "supporttext", "facts", "document", "excerpt", "dialogue", "system",
)
CHOICES_NAMES = (
    "choices", "options", "answerchoices", "endings", "candidates", "alternatives",
    "possibleanswers", "multiplechoicetargets", "mc1targets", "mc2targets", "mctargets",
    "targetscores", "mc0targets", "distractors", "incorrectanswers", "incorrectoptions",
    "wronganswers", "answers",
)
ANSWER_NAMES = (
    "answer", "answerkey", "correctanswer", "correctoption", "correctchoice", "correctresponse",
    "bestanswer", "correct", "gold", "goldlabel", "goldanswer", "label", "labels", "target",
    "targets", "groundtruth", "answeridx", "answerindex", "answerletter", "correctindex",
    "correctanswerindex", "expectedanswer", "expectedoutput", "expected", "output",
    "completion", "response", "solution", "canonicalsolution", "reference", "referenceanswer",
    "ideal", "cop", "answertext", "finalanswer", "code", "answermatchingbehavior", "answers",
    "goldanswers", "correctanswers", "mc1targets",
)
ID_NAMES = (
    "id", "uid", "guid", "uuid", "questionid", "exampleid", "sampleid", "itemid", "taskid",
    "instanceid", "docid", "qid", "key", "idx", "index", "rowid", "number", "sentid",
)
CATEGORY_NAMES = (
    "category", "subject", "topic", "domain", "subcategory", "biastype", "area", "field",
    "discipline", "subjectname", "skill", "questiontype", "tasktype", "type", "task",
    "keywords", "tags",
)
SOURCE_NAMES = (
    "source", "dataset", "origin", "datasource", "sourcedataset", "url", "referenceurl",
)
LICENCE_NAMES = (
    "licence", "license",
)
# fmt: on

DISTRACTORS = re.compile(r"distract|incorrect|wrong")
"""Names of fields with choices that do not include the key."""

COLUMN_FAMILY = re.compile(
    r"(?P<stem>|option|opt|op|choice|ans|answer|ending|sol|solution|candidate|alternative"
    r"|distractor|incorrectanswer|wronganswer)(?P<tag>[a-j]|\d)\Z"
)
"""Names of columns with one choice each: ans0, option_b, Choice 1, A."""
