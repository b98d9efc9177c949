"""What a well-formed name, asset or account is."""

from __future__ import annotations

import unicodedata

from .errors import InvalidDefinition
from .model import (
    AMOUNT_LIMIT,
    NAME_MAX_BYTES,
    PRECISION_MAX,
    AccountCfg,
    AccountDef,
    AccountId,
    AccountKind,
    AssetDef,
    Commodity,
    Crypto,
    Direction,
    Fiat,
)


def text_fault(text: object) -> str | None:
    """Why this is no well-formed text, or None."""
    if type(text) is not str:
        return f"is {type(text).__name__}, not text"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "holds a lone surrogate"
    return None


def name_fault(name: object) -> str | None:
    """Why this cannot be an asset id, account path or idempotency key, or None."""
    fault = text_fault(name)
    if fault is not None:
        return fault
    assert isinstance(name, str)
    if not name:
        return "is empty"
    if len(name) > NAME_MAX_BYTES or len(name.encode()) > NAME_MAX_BYTES:
        return f"is longer than {NAME_MAX_BYTES} bytes"
    if not name.isprintable() and has_control(name):
        return "holds a control character"
    return None


def has_control(text: str) -> bool:
    return any(unicodedata.category(c) == "Cc" for c in text)


def asset_fault(asset: AssetDef) -> str | None:
    """Why this is no asset definition, or None."""
    if type(asset) is not AssetDef:
        return f"it is of type {type(asset).__name__}, not an AssetDef"
    fault = name_fault(asset.id)
    if fault is not None:
        return f"the asset's id {fault}"
    fault = text_fault(asset.name)
    if fault is not None:
        return f"the asset's name {fault}"
    if type(asset.precision) is not int or not 0 <= asset.precision <= PRECISION_MAX:
        return f"the asset's precision is not an integer from 0 to {PRECISION_MAX}"
    kind = asset.asset_class
    if type(kind) is Crypto:
        for text in (kind.network, kind.native_id if kind.native_id is not None else ""):
            fault = text_fault(text)
            if fault is not None:
                return f"the asset's network or native id {fault}"
    elif type(kind) is not Fiat and type(kind) is not Commodity:
        return "the asset's class is none of Fiat, Crypto and Commodity"
    if (
        len(asset.name) + len(getattr(kind, "network", "")) + len(getattr(kind, "native_id", "") or "")
        > 2**20
    ):
        return "the asset's name is longer than a mebibyte"
    return None


def account_fault(definition: AccountDef, config: AccountCfg) -> str | None:
    """Why this is no account definition, or None. The book's name is checked elsewhere."""
    if type(definition) is not AccountDef or type(definition.id) is not AccountId:
        return "it is not an AccountDef with an AccountId"
    if type(config) is not AccountCfg:
        return f"its configuration is of type {type(config).__name__}, not an AccountCfg"
    fault = name_fault(definition.id.path)
    if fault is not None:
        return f"the account's path {fault}"
    fault = name_fault(definition.asset)
    if fault is not None:
        return f"the account's asset {fault}"
    if type(definition.kind) is not AccountKind:
        return "the account's kind is not an AccountKind"
    if config.normal_side is not None and type(config.normal_side) is not Direction:
        return "the account's normal side is neither debit nor credit"
    floor = config.min_balance
    if floor is not None and (type(floor) is not int or not -AMOUNT_LIMIT < floor < AMOUNT_LIMIT):
        return "the account's minimum is not an integer of a magnitude below 2**127"
    return None


def checked_asset(asset: AssetDef) -> AssetDef:
    fault = asset_fault(asset)
    if fault is not None:
        raise InvalidDefinition(fault)
    return asset
