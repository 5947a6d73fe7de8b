"""What a bare device gets: one version for each Python, and the SHA-256 of its wheels.

Two hosts that serve one device thus bring the same files, whatever the index offers that day.
"""

from __future__ import annotations

PINNED: dict[str, dict[str, tuple[str, dict[str, str]]]] = {
    "3.8": {
        "numpy": (
            "1.24.4",
            {
                "x86_64": "dd80e219fd4c71fc3699fc1dadac5dcf4fd882bfc6f7ec53d30fa197b8ee22dc",
                "aarch64": "a5425b114831d1e77e4b5d812b69d11d962e104095a5b9c3b641a218abcc050e",
            },
        ),
        "onnxruntime": (
            "1.19.2",
            {
                "x86_64": "b2046fc9560f97947bbc1acbe4c6d48585ef0f12742744307d3364b131ac5778",
                "aarch64": "5bd8b875757ea941cbcfe01582970cc299893d1b65bd56731e326a8333f638a3",
            },
        ),
    },
    "3.9": {
        "numpy": (
            "2.0.2",
            {
                "x86_64": "f26b258c385842546006213344c50655ff1555a9338e2e5e02a0756dc3e803dd",
                "aarch64": "1e795a8be3ddbac43274f18588329c72939870a16cae810c2b73461c40718ab1",
            },
        ),
        "onnxruntime": (
            "1.19.2",
            {
                "x86_64": "fae4b4de45894b9ce7ae418c5484cbf0341db6813effec01bb2216091c52f7fb",
                "aarch64": "df2a94179a42d530b936f154615b54748239c2908ee44f0d722cb4df10670f68",
            },
        ),
    },
    "3.10": {
        "numpy": (
            "2.2.6",
            {
                "x86_64": "fc7b73d02efb0e18c000e9ad8b83480dfcd5dfd11065997ed4c6747470ae8915",
                "aarch64": "efd28d4e9cd7d7a8d39074a4d44c63eda73401580c5c76acda2ce969e0a38e83",
            },
        ),
        "onnxruntime": (
            "1.23.2",
            {
                "x86_64": "4ca88747e708e5c67337b0f65eed4b7d0dd70d22ac332038c9fc4635760018f7",
                "aarch64": "8f7d1fe034090a1e371b7f3ca9d3ccae2fabae8c1d8844fb7371d1ea38e8e8d2",
            },
        ),
    },
    "3.11": {
        "numpy": (
            "2.4.6",
            {
                "x86_64": "89cd468399cfd2504718f0ba50e410dca55a170b61a02ad92bb18c8a65186e93",
                "aarch64": "0ab0a9c4ffb1a6d95ef519fe4247dba8eb6b18ad93999f76b7f657039acabd47",
            },
        ),
        "onnxruntime": (
            "1.31.1",
            {
                "x86_64": "5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f",
                "aarch64": "da05378364c44d4407e463982d2bf8d5e4cfea873283757e48beeb41df97b7f3",
            },
        ),
    },
    "3.12": {
        "numpy": (
            "2.4.6",
            {
                "x86_64": "90f9849678c75fe7afa2d348ac842c168b0a4d3d61919687216dfc547976d853",
                "aarch64": "5f9fb9157b4ce2971008323afe46053787b526ef624fea915b261468a8421a0f",
            },
        ),
        "onnxruntime": (
            "1.31.1",
            {
                "x86_64": "1f3dea47f2f0e5117c2404cea7d21fd253ae7836a3bf167a501cdfbb2600d536",
                "aarch64": "0b9a492176886992e0e875f06bc0367e333f5fff11711a2d642e18b02f3009cc",
            },
        ),
    },
    "3.13": {
        "numpy": (
            "2.4.6",
            {
                "x86_64": "a7830bab239b79cda9c08c2da014761cafb48da6150e1da17ac06283f43b6089",
                "aarch64": "72fbe16c6fac95aedf5937fa873445cec2110be35d8a4e9433d7501fd98dae6b",
            },
        ),
        "onnxruntime": (
            "1.31.1",
            {
                "x86_64": "74a6a52994616c4d18b33db1e13c226333a70a6ba07480a5cab9c2a50dff1430",
                "aarch64": "dcaedc50333876f3829ab966b242147f0e548229e29c36fe44622ecf748c25ee",
            },
        ),
    },
    "3.14": {
        "numpy": (
            "2.4.6",
            {
                "x86_64": "a2c306dea656c12c68f51f4cea133cbe78ca7435eb28c735eac1d3ebe73be6e8",
                "aarch64": "40fdc1ae7125e518ea98e53e69a4ebc27e1fd50510c47b7ea130cf21e5e1d42b",
            },
        ),
        "onnxruntime": (
            "1.31.1",
            {
                "x86_64": "c20d7f15d84427db070b163f78c2c7146cc93edd6113fa7327671259a24184fe",
                "aarch64": "c878686b75cade1ed59131aa018ab004b1e64368b0d54041912450b9642cf04f",
            },
        ),
    },
}
"""Python -> package -> (version, architecture -> SHA-256 of its wheel for glibc)"""
