"""Neural networks on the engine of `autograd`: layers, losses and models."""

from nn import _siblings

_siblings.check("autograd")

# After the check: these import autograd.
from nn import data, functional, init, inspect  # noqa: E402
from nn.containers import ModuleDict, ModuleList, Sequential  # noqa: E402
from nn.files import load, save  # noqa: E402
from nn.functional import scaled_dot_product_attention  # noqa: E402
from nn.fuse import fuse  # noqa: E402
from nn.layers.activation import (  # noqa: E402
    ELU,
    GELU,
    SELU,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Maxout,
    PReLU,
    RadialBasis,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Step,
    Tanh,
    Threshold,
)
from nn.layers.attention import MultiheadAttention, TransformerEncoderLayer  # noqa: E402
from nn.layers.convolution import Conv1d, Conv2d, ConvTranspose2d  # noqa: E402
from nn.layers.dropout import Dropout, Dropout2d  # noqa: E402
from nn.layers.embedding import Embedding  # noqa: E402
from nn.layers.linear import Bilinear, Flatten, Identity, Linear, Unflatten  # noqa: E402
from nn.layers.normalization import BatchNorm1d, BatchNorm2d, GroupNorm, LayerNorm, LocalResponseNorm  # noqa: E402
from nn.layers.pooling import (  # noqa: E402
    AdaptiveAvgPool2d,
    AdaptiveMaxPool2d,
    AvgPool1d,
    AvgPool2d,
    MaxPool1d,
    MaxPool2d,
    Upsample,
)
from nn.layers.recurrent import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell  # noqa: E402
from nn.losses import (  # noqa: E402
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
from nn.module import Module  # noqa: E402
from nn.parameter import Parameter  # noqa: E402
from nn.penalties import elastic_net, l1, l2  # noqa: E402
from nn.summary import summary  # noqa: E402

__all__ = [
    "ELU",
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "SELU",
    "AdaptiveAvgPool2d",
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
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiMarginLoss",
    "MultiheadAttention",
    "NLLLoss",
    "PReLU",
    "Parameter",
    "RNNCell",
    "RadialBasis",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softplus",
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
