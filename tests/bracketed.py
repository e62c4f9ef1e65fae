"""Sentences of our own for the corruptor; what stands between brackets is a mention, `[LOC Tavira]`."""

SENTENCES = (
    "[LOC Houston] 's [PER Orla O'Brien-Vance] scored twice , [PER O'Brien-Vance] said after the [MISC "
    "Lisbon Cup] .",
    "The [ORG Fjord & Sons Ltd.] office in [LOC St. Anselm] , [LOC U.S.] , closed , [ORG Fjord & Sons "
    "Ltd.] said ( [ORG TNA] ) .",
    "[MISC Norwegians] and a [MISC Norwegian] firm met the [ORG Union of Coffee Roasters] in [LOC New "
    "Alder] on Friday .",
    "[LOC CALDERA] 1996-08-22 [ORG Harbour Athletics] beat [ORG Caldera Lions] 2-1 in [LOC Caldera] .",
    '" [MISC The Glass Orchard] " , a film by [PER Ines da Costa-Lima] , won in [LOC Port-Louis-sur-Mer] '
    ', [PER da Costa-Lima] said .',
    "[ORG Bank of Tavira] fell as [LOC Tavira] voted ; the [ORG Bank of Tavira] 's chief , [PER J. P. "
    "Quill] , left .",
    "Shares of [ORG Kestrel Motors] , [ORG AT&C] and [ORG Yarrow!] rose in [LOC South Ostrava] and [LOC "
    "Ostrava] .",
    "[PER Mirela Dragos] 's [MISC Euro-Asian Games] team met [PER Dragos] 's rival in the [LOC Upper "
    "Drava] valley .",
)
