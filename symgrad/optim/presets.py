"""What other libraries do by default: the options that `like=` sets, by optimizer and library."""

from __future__ import annotations

from typing import Any

__all__ = ["PRESETS"]

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "SGD": {
        "torch": {},
        "optax": {},
        "keras": {"lr": 0.01, "lr_in_velocity": True, "decoupled": True},
        "sklearn": {"lr": 0.001, "momentum": 0.9, "nesterov": True, "lr_in_velocity": True},
        "lecture": {"momentum": 0.9, "lr_in_velocity": True},
    },
    "ASGD": {"torch": {}},
    "Lion": {"optax": {"weight_decay": 1e-3}, "keras": {"lr": 1e-3, "decoupled": True}},
    "Rprop": {"torch": {}, "lecture": {"variant": "lecture", "lr": 0.1}},
    "Adagrad": {
        "torch": {},
        "optax": {"initial": 0.1, "eps": 1e-7, "eps_mode": "inside"},
        "keras": {"lr": 1e-3, "initial": 0.1, "eps": 1e-7, "eps_mode": "inside", "decoupled": True},
    },
    "Adadelta": {"torch": {}, "optax": {}, "keras": {"lr": 1e-3, "rho": 0.95, "eps": 1e-7, "decoupled": True}},
    "RMSprop": {
        "torch": {},
        "optax": {"alpha": 0.9, "eps_mode": "inside", "lr_in_velocity": True},
        "keras": {
            "lr": 1e-3,
            "alpha": 0.9,
            "eps": 1e-7,
            "eps_mode": "inside",
            "lr_in_velocity": True,
            "decoupled": True,
        },
    },
    "FTRL": {"keras": {"decoupled": True}},
    "Adam": {
        "torch": {},
        "optax": {},
        "keras": {"eps": 1e-7, "eps_mode": "hat", "decoupled": True},
        "sklearn": {"eps_mode": "hat"},
    },
    "AdamW": {
        "torch": {},
        "optax": {"weight_decay": 1e-4},
        "keras": {"weight_decay": 4e-3, "eps": 1e-7, "eps_mode": "hat", "decoupled": True},
    },
    "Adamax": {"torch": {}, "optax": {}, "keras": {"lr": 1e-3, "eps": 1e-7, "eps_mode": "outside", "decoupled": True}},
    "NAdam": {"torch": {}, "keras": {"lr": 1e-3, "eps": 1e-7, "momentum_decay": 1.0, "decoupled": True}},
    "RAdam": {"torch": {}, "optax": {"eps_mode": "corrected"}},
    "Yogi": {"optax": {}},
    "AdaBelief": {"optax": {}},
    "LARS": {"optax": {}},
    "LAMB": {"optax": {}, "keras": {"eps": 1e-7}},
    "NovoGrad": {"optax": {}},
}
