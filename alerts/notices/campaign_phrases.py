"""The sentences of recalls and security notices, around what the maker says in words of their own.

What a recall notice must hold is Article 36(2) of the General Product Safety Regulation (EU) 2023/988: a headline of the words "Product
safety recall"; the product with picture, name, brand, batch or serial number and where to find it, when, where and by whom it was sold;
the hazard, without anything that lowers how grave it is taken to be; what to do, and to stop using the product immediately; the remedies of
Article 37; a free phone number or an interactive online service; and the wish to share it. The order and the labels follow the template
of Implementing Regulation (EU) 2024/1435. What users must be told of an actively exploited vulnerability or a severe incident is
Article 14(8) of the Cyber Resilience Act, Regulation (EU) 2024/2847: that there is one, and how they can mitigate or correct it.
"""

from __future__ import annotations

RECALL_HEADLINE = "Product safety recall"
RECALL_SUBJECT = "Product safety recall: {product}"
RECALL_YOURS = "Our records say that you have one of the recalled devices."
RECALL_REPEATED = "We have written to you about this before. The recall still applies to your device."

PRODUCT = "Product"
BRAND = "Brand"
MODEL = "Model"
YOUR_DEVICE = "Your device"
SERIAL = "serial number {serial}"
FIND_NUMBER = "Where to find the number"
SOLD = "Sold"
REFERENCE = "Reference"
PICTURE = "Picture"
HAZARD = "Hazard"
WHAT_TO_DO = "What to do"
STOP_USING = "Stop using your {product} immediately."
REMEDIES = "What you can have"
REMEDY_CHOICE = "You can choose on your page (link below); it costs you nothing:"
REMEDY_ONE = "On your page (link below), and at no cost:"
REMEDY = {
    "repair": "a repair",
    "replacement": "a new device in its place",
    "refund": "your money back",
}
"""By remedy (Article 37(2) of Regulation (EU) 2023/988)."""
CONTACT = "Questions"
CONTACT_PHONE = "Free of charge: {phone}"
CONTACT_USUAL_PHONE = "By phone: {phone}"
"""The maker's usual number, of which nobody said that it is free."""
CONTACT_PAGE = "Online: {url}"
LINK_ALONE = "The link needs no password, works until {date}, and is for you alone."
SHARE = "Please tell everybody who may have this product of its recall."
"""Article 36(2)(g)."""

ADVISORY_SUBJECT = "Security notice for your {product}"
ADVISORY_WHAT = "What has happened"
ADVISORY_EXPLOITED = "Attackers are using this weakness at this moment."
ADVISORY_REPEATED = "We have written to you about this before. Your device is still at risk."
ADVISORY_UPDATE = "Please install version {version} on your page (link below)."
ADVISORY_UNTIL_THEN = "Until then"
ADVISORY_NUMBERS = "Weaknesses"
ADVISORY_MACHINE = "For computers to read (CSAF 2.0): {url}"
