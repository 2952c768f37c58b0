"""Check digits, which tell a number that somebody has from one that only looks like it."""

DIGITS = "0123456789"
STEUER_ID = 11
RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
RESIDENT_CHECK = "10X98765432"
DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
VERHOEFF_PRODUCT = tuple(
    tuple((5 * (a // 5 ^ b // 5) + ((a % 5 + b % 5) % 5 if a < 5 else (a % 5 - b % 5) % 5)) for b in range(10))
    for a in range(10)
)
VERHOEFF_ORDER = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def digits_of(text: str) -> str:
    """The digits of a number that is written in groups."""
    return "".join(character for character in text if character in DIGITS)


def luhn(text: str) -> bool:
    """True for a payment card's number (ISO/IEC 7812-1)."""
    digits = digits_of(text)
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def iban(text: str) -> bool:
    """True for a bank account's number (ISO 13616)."""
    plain = "".join(text.split()).upper()
    moved = plain[4:] + plain[:4]
    return 15 <= len(plain) <= 34 and int("".join(str(int(one, 36)) for one in moved)) % 97 == 1


def social_security(text: str) -> bool:
    """True for a number that the United States may have given out."""
    area, group, serial = text.replace(" ", "-").split("-")
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def steuer_id(text: str) -> bool:
    """True for a German tax number: one digit of the first ten stands twice or three times (ISO 7064, MOD 11,10)."""
    digits = digits_of(text)
    counts = sorted(digits[:10].count(digit) for digit in set(digits[:10]))
    if len(digits) != STEUER_ID or digits[0] == "0" or counts[-1] not in (2, 3) or counts[-2:-1] not in ([1], []):
        return False
    product = 10
    for digit in digits[:10]:
        total = (int(digit) + product) % 10 or 10
        product = 2 * total % 11
    return (11 - product) % 10 == int(digits[10])


def resident(text: str) -> bool:
    """True for a Chinese resident's number (GB 11643)."""
    total = sum(int(digit) * weight for digit, weight in zip(text[:17], RESIDENT_WEIGHTS, strict=True))
    month, day = int(text[10:12]), int(text[12:14])
    return RESIDENT_CHECK[total % 11] == text[17].upper() and 1 <= month <= 12 and 1 <= day <= 31


def national_insurance(text: str) -> bool:
    """True for a British number whose beginning is given out."""
    plain = text.replace(" ", "").upper()
    return plain[:2] not in ("BG", "GB", "NK", "KN", "TN", "NT", "ZZ") and plain[1] != "O"


def dni(text: str) -> bool:
    """True for a Spanish number with its letter; a foreigner's begins with one as well."""
    number = text.upper().replace("-", "")
    digits = number[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")
    return DNI_LETTERS[int(digits) % 23] == number[-1]


def aadhaar(text: str) -> bool:
    """True for an Indian number (Verhoeff's check digit)."""
    digits = digits_of(text)
    if len(digits) != 12 or digits[0] in "01":
        return False
    check = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        for _ in range(place % 8):
            value = VERHOEFF_ORDER[value]
        check = VERHOEFF_PRODUCT[check][value]
    return check == 0
