"""Run exported files in their own runtimes, in a process without TensorFlow.

python run_exports.py INPUTS.npz OUTPUTS.npz FILE…
"""

import sys
import zipfile

import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter

inputs, outputs = dict(np.load(sys.argv[1])), {}
for path in sys.argv[3:]:
    if path.endswith(".onnx"):
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        entry = session.get_inputs()[0].name
        for name, features in inputs.items():
            (outputs[f"{path}:{name}"],) = session.run(None, {entry: features})
        outputs[f"{path}:about"] = session.get_modelmeta().custom_metadata_map["cyclegan_vc_tf"]
    else:
        run = Interpreter(path).get_signature_runner()
        (entry,) = run.get_input_details()
        for name, features in inputs.items():
            (outputs[f"{path}:{name}"],) = run(**{entry: features}).values()
        outputs[f"{path}:about"] = zipfile.ZipFile(path).read("cyclegan_vc_tf.json").decode()
np.savez(sys.argv[2], **outputs)
sys.exit("tensorflow" in sys.modules)
