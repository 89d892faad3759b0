"""torch's side of equal shapes: whole optimizer steps of GPT-2 124M, paced as trainer.py's.

    python steps.py BATCH TOKENS ATTENTION STEPS_A_TURN THREADS
"""

import sys
import time

import torch
from transformers import GPT2Config, GPT2ForSequenceClassification

batch, tokens = int(sys.argv[1]), int(sys.argv[2])
attention, pace, threads = sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
torch.set_num_threads(threads)
torch.manual_seed(1)
config = GPT2Config(num_labels=3, pad_token_id=50256)
model = GPT2ForSequenceClassification._from_config(config, attn_implementation=attention).train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
ids = torch.randint(0, 50000, (batch, tokens))
labels = torch.arange(batch) % 3
while True:
    print("waiting", flush=True)
    if sys.stdin.readline() == "":
        break
    for _ in range(pace):
        begun = time.perf_counter()
        model(input_ids=ids, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        print(f"step {time.perf_counter() - begun}", flush=True)
