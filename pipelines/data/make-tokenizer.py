"""Trains the quickstart's tokenizer on the train split and writes tokenizer/ beside this file.

    pip install tokenizers==0.23.3    # Python 3.10 or newer; nothing else is needed
    python pipelines/data/make-tokenizer.py

GPT-2's scheme, small: byte-level byte-pair encoding (any text has an encoding, so no unknown
token ever occurs), one special token, `<|endoftext|>`. Two differences from GPT-2's own file:

- a lower-casing normaliser: with 1,320 short messages, `Great`, `great` and `GREAT` would
  otherwise be three words to learn;
- a space is put before the first word, so a word has the same id at the start of a message
  as inside it.

The test split is not read. Running it again writes the same bytes.
"""

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers

FOLDER = Path(__file__).resolve().parent
VOCABULARY_SIZE = 1500
END_OF_TEXT = '<|endoftext|>'
MAX_LENGTH = 64  # tokens; the longest message of the data has fewer


def train_texts() -> list[str]:
    lines = (FOLDER / 'messages' / 'train.jsonl').read_text(encoding='utf-8').splitlines()
    return [json.loads(line)['text'] for line in lines]


def train_tokenizer(texts: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        min_frequency=2,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def main() -> None:
    out = FOLDER / 'tokenizer'
    out.mkdir(exist_ok=True)
    tokenizer = train_tokenizer(train_texts())
    tokenizer.save(str(out / 'tokenizer.json'))
    config = {
        'tokenizer_class': 'PreTrainedTokenizerFast',
        'bos_token': END_OF_TEXT,
        'eos_token': END_OF_TEXT,
        'unk_token': END_OF_TEXT,
        'model_max_length': MAX_LENGTH,
        'clean_up_tokenization_spaces': False,
    }
    text = json.dumps(config, indent=2) + '\n'
    (out / 'tokenizer_config.json').write_text(text, encoding='utf-8')
    print(f'{out}: {tokenizer.get_vocab_size()} tokens')


if __name__ == '__main__':
    main()
