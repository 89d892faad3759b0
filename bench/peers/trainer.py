"""Hugging Face's side of a comparison: one job, from a JSON file, on the CPU.

    python trainer.py JOB.json

A job is {"command": "init" | "train", ...}; see the functions. A paced training prints the seconds
of each optimizer step and waits for a line on its standard input after every `pace` steps.
"""

import json
import os
import resource
import sys
import time
import warnings

os.environ["TOKENIZERS_PARALLELISM"] = "false"
warnings.filterwarnings("ignore")

import torch
import transformers
from safetensors.torch import save_file
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

transformers.logging.set_verbosity_error()


def init(job):
    """Writes `folder`: the base with a fresh head, or all fresh where it has no weights."""
    torch.manual_seed(job["seed"])
    config = AutoConfig.from_pretrained(job["base"], num_labels=job["labels"])
    has_weights = os.path.exists(os.path.join(job["base"], "model.safetensors"))
    if has_weights:
        model = AutoModelForSequenceClassification.from_pretrained(job["base"], config=config)
    else:
        model = AutoModelForSequenceClassification.from_config(config)
    model.save_pretrained(job["folder"])


class Collator:
    """Pads to the longest row of the batch, or to a fixed width."""

    def __init__(self, pad, width):
        self.pad, self.width = pad, width

    def __call__(self, rows):
        width = self.width or max(len(row["input_ids"]) for row in rows)
        rest = [width - len(row["input_ids"]) for row in rows]
        ids = [row["input_ids"] + [self.pad] * more for row, more in zip(rows, rest)]
        mask = [[1] * len(row["input_ids"]) + [0] * more for row, more in zip(rows, rest)]
        labels = torch.tensor([row["label"] for row in rows])
        return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask), "labels": labels}


class Log(TrainerCallback):
    def __init__(self):
        self.rows = []

    def on_log(self, args, state, control, logs=None, **kwargs):
        self.rows.append(dict(logs, step=state.global_step))


class Pace(TrainerCallback):
    """Measures optimizer steps, the data's collation included, and waits for its turn."""

    def __init__(self, pace):
        self.pace, self.start = pace, None

    def on_train_begin(self, args, state, control, **kwargs):
        self.wait()

    def on_step_end(self, args, state, control, **kwargs):
        print(f"step {time.perf_counter() - self.start}", flush=True)
        if state.global_step % self.pace == 0:
            self.wait()
        self.start = time.perf_counter()

    def wait(self):
        print("waiting", flush=True)
        if sys.stdin.readline() == "":
            sys.exit(0)
        self.start = time.perf_counter()


def train(job):
    """Trains `model` on `rows` with Trainer's `args`; writes logs, weights, held-out logits."""
    torch.set_num_threads(job["threads"])
    rows = json.load(open(job["rows"]))
    model = AutoModelForSequenceClassification.from_pretrained(job["model"])
    collator = Collator(job["pad"], job.get("width"))
    log = Log()
    callbacks = [log] + ([Pace(job["pace"])] if job.get("pace") else [])
    args = TrainingArguments(
        output_dir=job["output"],
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
        remove_unused_columns=False,
        **job["args"],
    )
    trainer = Trainer(model=model, args=args, train_dataset=rows, data_collator=collator, callbacks=callbacks)
    # Stock Trainer sums the micro-batches of an effective batch for these models.
    trainer.loss_is_scaled_for_ga = False
    begun = time.perf_counter()
    trainer.train()
    result = {"seconds": time.perf_counter() - begun, "log": log.rows}
    if job.get("weights"):
        tied = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
        save_file(tied, job["weights"])
    if job.get("held_out"):
        rows = json.load(open(job["held_out"]))
        if job.get("eval_by") == "trainer":
            trainer.args.per_device_eval_batch_size = job["eval_batch"]
            begun = time.perf_counter()
            logits = trainer.predict(rows).predictions
            result |= {"logits": logits.tolist(), "eval_seconds": time.perf_counter() - begun}
        else:
            result |= predict(model, rows, job, collator)
    result["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    json.dump(result, open(job["result"], "w"))


def predict(model, rows, job, collator):
    """Logits of rows, sorted by length as a careful user does, and the seconds that they took."""
    model.eval()
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]["input_ids"]))
    logits = [None] * len(rows)
    size = job.get("eval_batch", 32)
    begun = time.perf_counter()
    with torch.no_grad():
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            answer = model(**collator([rows[row] for row in batch])).logits
            for row, values in zip(batch, answer.tolist()):
                logits[row] = values
    return {"logits": logits, "eval_seconds": time.perf_counter() - begun}


def main():
    job = json.load(open(sys.argv[1]))
    {"init": init, "train": train}[job["command"]](job)


main()
