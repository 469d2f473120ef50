"""Package groups: patterns over package paths that say how versions may enter repositories.

Guide, "Working with package groups in CodeArtifact"; RULINGS section 4.

    folding         what counts as a variation of a name
    patterns        one pattern: its syntax, what it matches, how specific it is
    hierarchy       many patterns: which group a package belongs to, which group is whose parent
    association     what applies to one package in one repository, read from the store and remembered
    administration  what the control plane does with groups
"""
