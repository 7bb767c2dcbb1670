"""Neural networks on the engine of `autograd`: layers, losses and models.

Layers : `Linear`, `Bilinear`, `Embedding`, `Conv1d`, `Conv2d`, `ConvTranspose1d`, `ConvTranspose2d`, `MaxPool1d`,
    `MaxPool2d`, `AvgPool1d`, `AvgPool2d`, `AdaptiveAvgPool1d` and the like, `Upsample`, `Flatten`, `Unflatten`,
    `BatchNorm1d`, `BatchNorm2d`, `LayerNorm`, `GroupNorm`, `LocalResponseNorm`, `Dropout`, `Dropout2d`, `RNN`, `LSTM`,
    `GRU` and their cells, `MultiheadAttention`, `TransformerEncoderLayer`, `RadialBasis`, `Maxout`, `Identity`.
Activations : `ReLU`, `LeakyReLU`, `PReLU`, `ELU`, `SELU`, `GELU`, `SiLU`, `Mish`, `Sigmoid`, `LogSigmoid`, `Tanh`,
    `Hardtanh`, `Softplus`, `Softsign`, `Softmax`, `LogSoftmax`, `Threshold`, `Step`.
Losses : `MSELoss`, `L1Loss`, `SmoothL1Loss`, `HuberLoss`, `BCELoss`, `BCEWithLogitsLoss`, `CrossEntropyLoss`,
    `NLLLoss`, `KLDivLoss`, `HingeLoss`, `MultiMarginLoss`, `CosineEmbeddingLoss`, `TripletMarginLoss`;
    penalties `l1`, `l2`, `elastic_net`.
Models : `Module`, `Parameter`, `Sequential`, `ModuleList`, `ModuleDict`, `ParameterList`, `ParameterDict`; `summary`,
    `save`, `load`, `fuse`.
Modules : `nn.functional` has all of these as functions, `nn.init` initialisation, `nn.data` data sets and loaders,
    `nn.inspect` what to look at while a net trains.
"""

try:
    from autograd import siblings

    siblings.check(__file__)
except ImportError as error:  # HIPS autograd, which has our import name, has no `siblings`
    fault = f"it is found in {error.path}" if error.name == "autograd" and error.path else error
    raise ImportError(
        f"the package 'autograd' of gategrad cannot be imported: {fault}. HIPS autograd uses the same import name, and "
        "one environment cannot hold both. Make a fresh virtual environment for gategrad, or in this one run\n"
        "    pip uninstall autograd gategrad\n"
        "    pip install path/to/gategrad"
    ) from error

# After the check: these import autograd.
from nn import data, functional, init, inspect
from nn.containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from nn.files import load, save
from nn.functional import scaled_dot_product_attention
from nn.fuse import fuse
from nn.layers.activation import (
    ELU,
    GELU,
    SELU,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Maxout,
    Mish,
    PReLU,
    RadialBasis,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
    Step,
    Tanh,
    Threshold,
)
from nn.layers.attention import MultiheadAttention, TransformerEncoderLayer
from nn.layers.convolution import Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d
from nn.layers.dropout import Dropout, Dropout2d
from nn.layers.embedding import Embedding
from nn.layers.linear import Bilinear, Flatten, Identity, Linear, Unflatten
from nn.layers.normalization import BatchNorm1d, BatchNorm2d, GroupNorm, LayerNorm, LocalResponseNorm
from nn.layers.pooling import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AvgPool1d,
    AvgPool2d,
    MaxPool1d,
    MaxPool2d,
    Upsample,
)
from nn.layers.recurrent import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
from nn.losses import (
    BCELoss,
    BCEWithLogitsLoss,
    CosineEmbeddingLoss,
    CrossEntropyLoss,
    HingeLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    MultiMarginLoss,
    NLLLoss,
    SmoothL1Loss,
    TripletMarginLoss,
)
from nn.module import Module
from nn.parameter import Parameter
from nn.penalties import elastic_net, l1, l2
from nn.summary import summary

__all__ = [
    "ELU",
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "SELU",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Bilinear",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "Dropout",
    "Dropout2d",
    "Embedding",
    "Flatten",
    "GRUCell",
    "GroupNorm",
    "Hardtanh",
    "HingeLoss",
    "HuberLoss",
    "Identity",
    "KLDivLoss",
    "L1Loss",
    "LSTMCell",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LocalResponseNorm",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "MaxPool1d",
    "MaxPool2d",
    "Maxout",
    "Mish",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiMarginLoss",
    "MultiheadAttention",
    "NLLLoss",
    "PReLU",
    "Parameter",
    "ParameterDict",
    "ParameterList",
    "RNNCell",
    "RadialBasis",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softplus",
    "Softsign",
    "Step",
    "Tanh",
    "Threshold",
    "TransformerEncoderLayer",
    "TripletMarginLoss",
    "Unflatten",
    "Upsample",
    "data",
    "elastic_net",
    "functional",
    "fuse",
    "init",
    "inspect",
    "l1",
    "l2",
    "load",
    "save",
    "scaled_dot_product_attention",
    "summary",
]
