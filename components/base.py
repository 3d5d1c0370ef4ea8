"""The two images, and what every component has in common.

Nothing is installed at run time (``install_kfp_package=False``): the same YAML runs on a laptop, in an air-gapped
cluster and on Vertex AI. `sluice compile` puts registry, tag and digests into the image names.
"""

from functools import partial

from kfp import dsl

LIGHT = "sluice/light:0.1.0"
TENSORFLOW = "sluice/tensorflow:0.1.0"

light = partial(dsl.component, base_image=LIGHT, install_kfp_package=False)
tensorflow = partial(dsl.component, base_image=TENSORFLOW, install_kfp_package=False)
