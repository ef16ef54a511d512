"""The credentials that the simulators accept. They give access only to a simulator on this computer."""

from typing import Final

NOMSA_API_KEY: Final = "local_v1_simulator"
SMSNOC_API_TOKEN: Final = "1|local-simulator"  # noqa: S105
SMSPOH_API_KEY: Final = "local-key"
SMSPOH_API_SECRET: Final = "local-secret"  # noqa: S105
NUSASMS_USER: Final = "local-user"
NUSASMS_PASSWORD: Final = "local-password"  # noqa: S105
NUSASMS_API_KEY: Final = "local-api-key"

# Has the structure of the product's secret document, without the webhook tokens.
SECRET: Final = {
    "nomsa": {"api_key": NOMSA_API_KEY},
    "smsnoc": {"api_token": SMSNOC_API_TOKEN},
    "smspoh": {"api_key": SMSPOH_API_KEY, "api_secret": SMSPOH_API_SECRET},
    "nusasms": {"api_key": NUSASMS_API_KEY, "user": NUSASMS_USER, "password": NUSASMS_PASSWORD},
}
