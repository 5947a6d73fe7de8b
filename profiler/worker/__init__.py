"""What runs on the device: a supervisor that speaks with the host, and its runners.

Travels as one `.pyz` with `profiler.wire`. Imports only the standard library,
numpy, onnxruntime and, where present, psutil. Python 3.8 source.
"""
