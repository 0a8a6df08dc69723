"""Speech to captions. Nothing here tells anybody outside what it does: both libraries report by default."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # onnxruntime reads it when it is imported; its makers get reports otherwise
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
