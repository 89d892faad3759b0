"""torch's side of equal shapes: whole optimizer steps of GPT-2 124M, paced as trainer.py's.

    python steps.py BATCH TOKENS ATTENTION STEPS_A_TURN THREADS [DEVICE PRECISION]
"""

import sys
import time

import torch
from transformers import GPT2Config, GPT2ForSequenceClassification

batch, tokens = int(sys.argv[1]), int(sys.argv[2])
attention, pace, threads = sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
device, precision = sys.argv[6:8] if len(sys.argv) > 6 else ("cpu", "float32")
torch.set_num_threads(threads)
torch.backends.cuda.matmul.allow_tf32 = False
torch.manual_seed(1)
config = GPT2Config(num_labels=3, pad_token_id=50256)
model = GPT2ForSequenceClassification._from_config(config, attn_implementation=attention).train().to(device)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
ids = torch.randint(0, 50000, (batch, tokens)).to(device)
labels = (torch.arange(batch) % 3).to(device)
scaler = torch.amp.GradScaler(device, enabled=precision == "float16")
autocast = torch.autocast(device, getattr(torch, precision), enabled=precision != "float32")
while True:
    print("waiting", flush=True)
    if sys.stdin.readline() == "":
        break
    for _ in range(pace):
        begun = time.perf_counter()
        with autocast:
            loss = model(input_ids=ids, labels=labels).loss
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()
        print(f"step {time.perf_counter() - begun}", flush=True)
