"""Money that is known by its symbol or code: what class it is and how many decimals it has at least."""

from __future__ import annotations

from dataclasses import dataclass

from store import AssetClass, Commodity, Crypto, Fiat


@dataclass(frozen=True, slots=True)
class Known:
    asset_class: AssetClass
    precision: int
    name: str


_FIAT_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD "
        "CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD "
        "HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD "
        "MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON "
        "RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD "
        "TZS UAH USD UYU UZS VES WST XCD YER ZAR ZMW"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
}

_FIAT_NAMES = {
    "AUD": "Australian dollar",
    "BRL": "Brazilian real",
    "CAD": "Canadian dollar",
    "CHF": "Swiss franc",
    "CNY": "Renminbi",
    "CZK": "Czech koruna",
    "DKK": "Danish krone",
    "EUR": "Euro",
    "GBP": "Pound sterling",
    "HKD": "Hong Kong dollar",
    "INR": "Indian rupee",
    "JPY": "Yen",
    "KRW": "South Korean won",
    "MXN": "Mexican peso",
    "NOK": "Norwegian krone",
    "NZD": "New Zealand dollar",
    "PLN": "Złoty",
    "SEK": "Swedish krona",
    "SGD": "Singapore dollar",
    "TRY": "Turkish lira",
    "USD": "US dollar",
    "ZAR": "Rand",
}

_FIAT_SYMBOLS = {
    "$": (2, "Dollar"),
    "US$": (2, "US dollar"),
    "A$": (2, "Australian dollar"),
    "C$": (2, "Canadian dollar"),
    "NZ$": (2, "New Zealand dollar"),
    "R$": (2, "Brazilian real"),
    "€": (2, "Euro"),
    "£": (2, "Pound"),
    "¥": (0, "Yen or yuan"),
    "₹": (2, "Indian rupee"),
    "₩": (0, "Won"),
    "₽": (2, "Rouble"),
    "₺": (2, "Turkish lira"),
    "₴": (2, "Hryvnia"),
    "₪": (2, "Shekel"),
    "₫": (0, "Dong"),
    "₱": (2, "Peso"),
    "₦": (2, "Naira"),
    "฿": (2, "Baht"),
    "zł": (2, "Złoty"),
    "Kč": (2, "Czech koruna"),
    "kr": (2, "Krone"),
    "Fr.": (2, "Swiss franc"),
}

_CRYPTO = {
    "ADA": ("cardano", 6, "Ada"),
    "ATOM": ("cosmos", 6, "Atom"),
    "AVAX": ("avalanche", 18, "Avax"),
    "BCH": ("bitcoin-cash", 8, "Bitcoin Cash"),
    "BNB": ("bnb-chain", 18, "BNB"),
    "BTC": ("bitcoin", 8, "Bitcoin"),
    "DAI": ("ethereum", 18, "Dai"),
    "DOGE": ("dogecoin", 8, "Dogecoin"),
    "DOT": ("polkadot", 10, "Dot"),
    "ETC": ("ethereum-classic", 18, "Ether Classic"),
    "ETH": ("ethereum", 18, "Ether"),
    "LINK": ("ethereum", 18, "Chainlink"),
    "LTC": ("litecoin", 8, "Litecoin"),
    "SOL": ("solana", 9, "Sol"),
    "TRX": ("tron", 6, "Tron"),
    "USDC": ("ethereum", 6, "USD Coin"),
    "USDT": ("ethereum", 6, "Tether"),
    "XBT": ("bitcoin", 8, "Bitcoin"),
    "XLM": ("stellar", 7, "Lumen"),
    "XMR": ("monero", 12, "Monero"),
    "XRP": ("xrp-ledger", 6, "XRP"),
    "ZEC": ("zcash", 8, "Zcash"),
    "₿": ("bitcoin", 8, "Bitcoin"),
    "Ξ": ("ethereum", 18, "Ether"),
}

# Tokens of someone else's chain are named there by a contract that a journal does not tell.
_TOKENS = {"DAI", "LINK", "USDC", "USDT"}

_FIAT_CODES = {code: places for places, codes in _FIAT_DECIMALS.items() for code in codes.split()}


def known(asset: str) -> Known:
    """By its id; what is not known is a commodity without decimals, named after itself."""
    if asset in _FIAT_CODES:
        return Known(Fiat(), _FIAT_CODES[asset], _FIAT_NAMES.get(asset, asset))
    if asset in _FIAT_SYMBOLS:
        places, name = _FIAT_SYMBOLS[asset]
        return Known(Fiat(), places, name)
    if asset in _CRYPTO:
        network, places, name = _CRYPTO[asset]
        return Known(Crypto(network=network, native_id=asset if asset in _TOKENS else None), places, name)
    return Known(Commodity(), 0, asset)
