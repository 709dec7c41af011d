"""How each course lies on its plate. A layout puts a vessel on the table and fills it; the seed decides the rest."""

from __future__ import annotations

import math
from collections.abc import Callable

from ochaq_web.cookbook.plates import motifs, vessels
from ochaq_web.cookbook.plates.dish import Dish, Part
from ochaq_web.cookbook.plates.hands import (
    arc,
    broth,
    droplets,
    finish,
    furrows,
    garland,
    mound,
    pool,
    sector,
    spiral,
    spoonful,
    strew,
    swirl,
)
from ochaq_web.cookbook.plates.loaves import flat_loaf, long_loaf, ring_loaves
from ochaq_web.cookbook.plates.palette import blend, brightness, darker, lighter, mix
from ochaq_web.cookbook.plates.pen import MIDDLE, Drawing, blob, circle, group, n, path, polar, stroke

Layout = Callable[[Drawing, Dish], None]

GOLD = "#dd9840"
DOUGH = "#f1dfbd"
_WHITE_FLOUR = 0.7
_COAT_OF_SEEDS = 100  # grams: a bread rolled in sesame is a simit


def soup(drawing: Drawing, dish: Dish) -> None:
    r = vessels.bowl(drawing)
    colour = broth(dish)
    pool(drawing, colour, r)
    strew(drawing, dish.pieces[:5], r * 0.84, 19, size=(1.1, 1.6))
    droplets(drawing, mix(colour, "#f0b429", 0.5), r * 0.85, 12)
    swirl(drawing, dish, r * 0.5)
    finish(drawing, dish, r * 0.72, herbs=9)


def stew(drawing: Drawing, dish: Dish) -> None:
    r = vessels.bowl(drawing)
    pool(drawing, darker(broth(dish), 0.06), r)
    beans = dish.of("legume") or dish.pieces[:1]
    strew(drawing, beans, r * 0.92, 96, size=(1.5, 2.1))
    strew(drawing, [part for part in dish.pieces if part not in beans][:4], r * 0.85, 11, size=(0.9, 1.2))
    finish(drawing, dish, r * 0.7, herbs=10)


def salad(drawing: Drawing, dish: Dish) -> None:
    r = vessels.plate(drawing)
    leafy = [part for part in dish.pieces if part.motif == "leaf"] + dish.herbs[:2]
    if leafy:
        strew(drawing, leafy, r * 0.97, 40, size=(1.8, 2.7))
    strew(drawing, dish.pieces[:7], r * 0.92, 64, size=(1.25, 1.9))
    finish(drawing, dish, r * 0.8, herbs=12)


def dip(drawing: Drawing, dish: Dish) -> None:
    r = vessels.bowl(drawing, r=122)
    colour = blend([(part.colour, part.grams**1.8) for part in dish.seen[:4]])
    pool(drawing, colour, r)
    furrows(drawing, colour, r)
    oil = dish.has("olive oil") or dish.has("sunflower oil")
    if oil:
        shine = stroke(spiral(r * 0.22, r * 0.52, 1.6, drawing.rnd.uniform(0, 6)), "#d8b43a", 6, 'opacity=".55"')
        drawing.add(shine)
    strew(drawing, [*dish.specks, *dish.pieces[1:3]][:3], r * 0.42, 14, size=(0.6, 0.95))
    finish(drawing, dish, r * 0.6, herbs=7)


def rice(drawing: Drawing, dish: Dish) -> None:
    r = vessels.plate(drawing)
    grains = [part for part in dish.of("grain") if part.motif == "grain"] or dish.pieces[:1]
    toppings = [part for part in dish.pieces if part not in grains and part.motif != "drop"]
    golden = [("#f2b01e", 1.6)] if dish.has("saffron", "turmeric") else [("#e8a33a", 1.1)] if dish.has("carrot") else []
    tint = blend([(grains[0].colour, 5), *golden])
    mound(drawing, tint, r * 1.04)
    tinted = [
        Part("grain", shade, "grain", "grain", 1)
        for shade in (tint, lighter(tint, 0.35), mix(tint, grains[0].colour, 0.7))
    ]
    strew(drawing, tinted, r * 0.95, 210, size=(1.25, 1.7))
    strew(drawing, toppings[:5], r * 0.62, 30, size=(1.15, 1.6))
    finish(drawing, dish, r * 0.7, herbs=8)


def noodles(drawing: Drawing, dish: Dish) -> None:
    r = vessels.bowl(drawing)
    strands = [part for part in dish.pieces if part.motif == "strand"]
    colour = strands[0].colour if strands else DOUGH
    pool(drawing, mix(broth(dish), darker(colour, 0.3), 0.5), r)
    for _ in range(40):
        centre = polar(drawing.rnd.uniform(0, math.tau), drawing.rnd.uniform(0, r * 0.5), MIDDLE, MIDDLE)
        reach = drawing.rnd.uniform(r * 0.2, r * 0.46)
        start = drawing.rnd.uniform(0, math.tau)
        d = arc(centre, reach, start, drawing.rnd.uniform(2.4, 5))
        drawing.add(
            stroke(d, darker(colour, 0.26), 5.4) + stroke(d, lighter(colour, drawing.rnd.uniform(0, 0.25)), 3.9)
        )
    toppings = [part for part in dish.pieces if part.motif != "strand"]
    strew(drawing, toppings[:6], r * 0.55, 19, size=(1, 1.4))
    finish(drawing, dish, r * 0.6, herbs=8)


def dumplings(drawing: Drawing, dish: Dish) -> None:
    r = vessels.plate(drawing)
    folded = drawing.rnd.random() < 0.5
    count, size = drawing.rnd.choice([(7, 1.9), (8, 1.75), (9, 1.6)])
    variants = [
        drawing.define((motifs.half_moon if folded else motifs.dumpling)(drawing.rnd, shade))
        for shade in (DOUGH, lighter(DOUGH, 0.2))
    ]
    turn = drawing.rnd.uniform(0, math.tau)
    for index in range(count):
        angle = turn + index * math.tau / count
        x, y = polar(angle, r * 0.68, MIDDLE, MIDDLE)
        drawing.use(variants[index % 2], x, y, turn=math.degrees(angle) + 90, scale=size)
    sauce = next(iter(dish.of("dairy")), None)
    if sauce:
        spoonful(drawing, sauce.colour, r * 0.34)
    else:
        drawing.use(variants[0], MIDDLE, MIDDLE, scale=size)
    finish(drawing, dish, r * 0.7, herbs=9)


def bread(drawing: Drawing, dish: Dish) -> None:
    r = vessels.board(drawing)
    flour = next((part.colour for part in dish.of("grain")), DOUGH)
    crust = mix(GOLD, flour, 0.12) if brightness(flour) > _WHITE_FLOUR else "#84502a"
    sesame = sum(part.grams for part in dish.seen if part.name == "sesame seeds")
    if dish.has("rye flour"):
        long_loaf(drawing, crust, r)
    elif sesame < _COAT_OF_SEEDS:
        flat_loaf(drawing, crust, r * 0.92)
    else:
        ring_loaves(drawing, darker(crust, 0.15), r)
    seeds = [part for part in dish.seen if part.motif == "seed"] or [
        Part("flour", lighter(flour, 0.4), "crumb", "spice", 1)
    ]
    strew(drawing, seeds[:2], r * 0.78, 60, size=(0.65, 0.95))
    strew(drawing, dish.herbs[:1], r * 0.6, 6, size=(0.9, 1.2))


def pastries(drawing: Drawing, dish: Dish) -> None:
    """A stuffed bread is a bread, a quiche is cut like a cake, and the rest is folded by hand."""
    if dish.has("mozzarella cheese"):
        bread(drawing, dish)
    elif dish.has("cream"):
        cake(drawing, dish)
    else:
        parcels(drawing, dish)


def parcels(drawing: Drawing, dish: Dish) -> None:
    r = vessels.plate(drawing) if drawing.rnd.random() < 0.5 else vessels.board(drawing)
    piece = motifs.roll if dish.has("yufka pastry") else motifs.triangle if dish.of("meat") else motifs.half_moon
    count = drawing.rnd.choice([5, 6, 7])
    variants = [
        drawing.define(piece(drawing.rnd, shade)) for shade in (GOLD, mix(GOLD, DOUGH, 0.3), darker(GOLD, 0.12))
    ]
    turn = drawing.rnd.uniform(0, math.tau)
    for index in range(count):
        angle = turn + index * math.tau / count
        x, y = polar(angle, r * 0.58, MIDDLE, MIDDLE)
        lean = 0 if piece is motifs.roll else 90
        drawing.use(variants[index % 3], x, y, turn=math.degrees(angle) + lean, scale=1.7)
    strew(drawing, [part for part in dish.seen if part.motif == "seed"][:1], r * 0.85, 30, size=(0.5, 0.7))
    finish(drawing, dish, r * 0.5, herbs=6)


def mains(drawing: Drawing, dish: Dish) -> None:
    r = vessels.plate(drawing)
    hero = dish.of("meat", "poultry", "fish")[:1] or dish.pieces[:1]
    others = [part for part in dish.pieces if part not in hero]
    sauce = mix(blend([(part.colour, part.grams + 20) for part in dish.seen[:5]]), "#b8692c", 0.3)
    outline = blob(drawing.rnd, r * 1.02, points=9, wobble=0.06)
    glow = drawing.gradient((0, lighter(sauce, 0.12), 1), (1, darker(sauce, 0.12), 1))
    drawing.add(group(path(outline, glow), f"translate({MIDDLE:g} {MIDDLE:g})"))
    strew(drawing, others[:5], r * 0.88, 34, size=(1.15, 1.7))
    strew(drawing, hero, r * 0.6, 12, size=(1.7, 2.3))
    finish(drawing, dish, r * 0.72, herbs=12)


def fish(drawing: Drawing, dish: Dish) -> None:
    r = vessels.plate(drawing)
    hero = dish.of("fish")[:1] or dish.pieces[:1]
    strew(drawing, [part for part in dish.pieces if part not in hero][:4], r * 0.9, 20, size=(1, 1.4))
    strew(drawing, dish.herbs[:1], r * 0.9, 8, size=(1.1, 1.5))
    variants = [drawing.define(motifs.draw(hero[0].motif, drawing.rnd, hero[0].colour)) for _ in range(3)]
    lean = drawing.rnd.uniform(-35, 35)
    if hero[0].motif == "fish":
        for index, y in enumerate((-46, -23, 0, 23, 46)):
            drawing.use(
                variants[index % 3],
                MIDDLE + (index % 2) * 8 - 4,
                MIDDLE + y,
                turn=lean + drawing.rnd.uniform(-8, 8),
                scale=2.2,
            )
    else:
        for index in range(9):
            spot = polar(index * math.tau / 8, r * 0.5 if index < 8 else 0, MIDDLE, MIDDLE)
            drawing.use(variants[index % 3], *spot, turn=index * 45 + lean, scale=1.75)
    strew(drawing, [part for part in dish.seen if part.motif == "citrus"], r * 0.8, 3, size=(1.3, 1.6))
    finish(drawing, dish, r * 0.75, herbs=7)


def breakfast(drawing: Drawing, dish: Dish) -> None:
    (eggs if dish.has("egg") and not dish.has("wheat flour") else pancakes)(drawing, dish)


def eggs(drawing: Drawing, dish: Dish) -> None:
    r = vessels.pan(drawing)
    sauce = [(part.colour, part.grams) for part in dish.seen if part.motif != "egg"]
    pool(drawing, blend(sauce), r)
    strew(drawing, [part for part in dish.pieces if part.motif != "egg"][:4], r * 0.88, 24, size=(0.9, 1.3))
    yolk = drawing.define(motifs.draw("egg", drawing.rnd, "#fbc02d"))
    count = drawing.rnd.choice([3, 4, 5])
    turn = drawing.rnd.uniform(0, math.tau)
    for index in range(count):
        x, y = polar(turn + index * math.tau / count, r * 0.5, MIDDLE, MIDDLE)
        drawing.use(yolk, x, y, turn=index * 70, scale=1.7)
    finish(drawing, dish, r * 0.8, herbs=10)


def pancakes(drawing: Drawing, dish: Dish) -> None:
    r = vessels.plate(drawing)
    for index in range(4):
        x, y = MIDDLE + drawing.rnd.uniform(-8, 8), MIDDLE + drawing.rnd.uniform(-8, 8) - index * 2
        face = drawing.gradient(
            (0, mix(GOLD, DOUGH, 0.5), 1), (0.75, mix(GOLD, DOUGH, 0.25), 1), (1, darker(GOLD, 0.25), 1)
        )
        drawing.add(circle(x + 1, y + 3, r * 0.72, "#3a1d0c", 'opacity=".25"') + circle(x, y, r * 0.72, face))
    for _ in range(26):
        x, y = polar(drawing.rnd.uniform(0, math.tau), drawing.rnd.uniform(0, r * 0.62), MIDDLE, MIDDLE - 6)
        drawing.add(circle(x, y, drawing.rnd.uniform(1.5, 5), darker(GOLD, 0.18), 'opacity=".3"'))
    spoonful(drawing, "#fffaf0", r * 0.34)
    jam = next((part for part in dish.seen if part.category in {"sweetener", "fruit"}), None)
    if jam and brightness(jam.colour) < 0.75:
        drawing.add(
            group(
                path(blob(drawing.rnd, 15), jam.colour) + circle(-4, -5, 3, "#fff", 'opacity=".6"'),
                "translate(166 156)",
            )
        )
    finish(drawing, dish, r * 0.6, herbs=4)


def cake(drawing: Drawing, dish: Dish) -> None:
    r = vessels.plate(drawing)
    crumb = mix(GOLD, blend([(part.colour, part.grams) for part in dish.seen[:4]]), 0.5)
    side, top = darker(crumb, 0.3), drawing.gradient((0, lighter(crumb, 0.3), 1), (1, crumb, 1))
    gap = drawing.rnd.uniform(0.45, 0.7)
    start = drawing.rnd.uniform(0, math.tau)
    drawing.add(
        group(
            path(sector(r, start, start + math.tau - gap), "#3a1d0c"),
            f"translate({MIDDLE + 2:g} {MIDDLE + 9:g})",
            'opacity=".3"',
        )
    )
    for step, colour in ((8, side), (5, lighter(side, 0.5)), (3, side)):
        drawing.add(
            group(path(sector(r, start, start + math.tau - gap), colour), f"translate({MIDDLE:g} {MIDDLE + step:g})")
        )
    drawing.add(group(path(sector(r, start, start + math.tau - gap), top), f"translate({MIDDLE:g} {MIDDLE - 1:g})"))
    clip = drawing.clip(
        path(
            sector(r * 0.97, start, start + math.tau - gap), "#000", f'transform="translate({MIDDLE:g} {MIDDLE - 1:g})"'
        )
    )
    rings = "".join(
        circle(MIDDLE, MIDDLE - 1, r * share, "none", f'stroke="{lighter(crumb, 0.45)}" stroke-width="2" opacity=".35"')
        for share in (0.3, 0.55, 0.8)
    )
    drawing.add(group(rings, more=clip))
    toppings = dish.of("fruit", "nut") or [Part("sugar", "#fffdf8", "crumb", "spice", 1)]
    middle = start + (math.tau - gap) / 2
    variants = [drawing.define(motifs.draw(part.motif, drawing.rnd, part.colour)) for part in toppings[:2]]
    for index in range(15):
        angle = middle + (index / 14 - 0.5) * (math.tau - gap - 0.4)
        x, y = polar(angle, r * (0.78 if index % 2 else 0.5), MIDDLE, MIDDLE - 2)
        drawing.use(variants[index % len(variants)], x, y, turn=math.degrees(angle) + 90, scale=1.5)


def sweets(drawing: Drawing, dish: Dish) -> None:
    (pudding if dish.has("milk", "cream") and not dish.has("wheat flour") else diamonds)(drawing, dish)


def diamonds(drawing: Drawing, dish: Dish) -> None:
    r = vessels.plate(drawing)
    sugar = next((part.colour for part in dish.of("sweetener") if brightness(part.colour) < 0.9), GOLD)
    base = mix(GOLD, sugar, 0.35)
    nut = next(iter(dish.of("nut", "fruit")), Part("crumb", lighter(base, 0.5), "crumb", "nut", 1))
    topping = drawing.define(motifs.draw(nut.motif, drawing.rnd, nut.colour))
    side = 36
    diamond = f"M0-{side}L{side * 0.78:g} 0L0 {side}L{-side * 0.78:g} 0Z"
    piece = drawing.define(
        group(path(diamond, "#3a1d0c"), "translate(2 6)", 'opacity=".3"')
        + group(path(diamond, darker(base, 0.35)), "translate(0 3)")
        + path(diamond, base)
        + group(path(diamond, lighter(base, 0.25)), "translate(-1 -2) scale(.78)")
        + stroke("M-14 0L0-17M-8 6L6-12", lighter(base, 0.5), 1, 'opacity=".6"')
    )
    turn = drawing.rnd.choice([0, 30, 60])
    spots = [(0, 0), *(polar(math.radians(turn) + index * math.tau / 6, r * 0.6) for index in range(6))]
    for x, y in spots:
        drawing.use(piece, MIDDLE + x, MIDDLE + y, turn=drawing.rnd.uniform(-6, 6) + turn)
        drawing.use(topping, MIDDLE + x, MIDDLE + y - 2, turn=drawing.rnd.uniform(0, 360), scale=0.9)
    strew(
        drawing,
        [part for part in dish.seen if part.category in {"nut", "fruit"} and part.small][:2],
        r * 0.85,
        18,
        size=(0.7, 1),
    )


def pudding(drawing: Drawing, dish: Dish) -> None:
    r = vessels.bowl(drawing, r=120)
    base = mix("#fbf1dc", blend([(part.colour, part.grams) for part in dish.seen[:3]]), 0.4)
    pool(drawing, base, r)
    for _ in range(9):
        x, y = polar(drawing.rnd.uniform(0, math.tau), drawing.rnd.uniform(0, r * 0.7), MIDDLE, MIDDLE)
        spot = path(blob(drawing.rnd, drawing.rnd.uniform(6, 20), wobble=0.3), darker(GOLD, 0.25), 'opacity=".28"')
        drawing.add(group(spot, f"translate({n(x)} {n(y)})"))
    toppings = [part for part in dish.seen if part.category in {"fruit", "nut", "spice"} and part.motif != "drop"]
    strew(drawing, toppings[:3], r * 0.5, 12, size=(0.9, 1.2))


def drink(drawing: Drawing, dish: Dish) -> None:
    r = vessels.cup(drawing)
    brewed = [
        (part.colour, 60.0 if part.category == "drink" else min(part.grams, 300))
        for part in dish.seen
        if part.category != "spice"
    ]
    if not any(part.category in {"dairy", "fruit"} for part in dish.seen):
        brewed = [pair for pair in brewed if brightness(pair[0]) < 0.85] or brewed
    colour = blend(brewed)
    pool(drawing, colour, r)
    foam = lighter(colour, 0.5)
    for _ in range(34):
        x, y = polar(drawing.rnd.uniform(0, math.tau), r * drawing.rnd.uniform(0.84, 0.97), MIDDLE, MIDDLE)
        drawing.add(circle(x, y, drawing.rnd.uniform(1.2, 4), foam, 'opacity=".6"'))
    strew(drawing, [*dish.of("fruit"), *dish.herbs][:2], r * 0.55, 5, size=(1, 1.3))
    beside = [
        part
        for part in dish.seen
        if part.category in {"spice", "drink", "fruit", "sweetener"} and part.motif not in {"drop", "crumb"}
    ]
    garland(drawing, beside[:3], 99)


def preserve(drawing: Drawing, dish: Dish) -> None:
    r = vessels.jar(drawing)
    pool(drawing, mix(broth(dish), "#e9dfa8", 0.25), r)
    strew(drawing, dish.pieces[:6], r * 0.88, 44, size=(1.2, 1.7))
    droplets(drawing, "#ffffff", r * 0.85, 9)
    finish(drawing, dish, r * 0.8, herbs=8)


LAYOUTS: dict[str, Layout] = {
    "soups": soup,
    "salads": salad,
    "meze": dip,
    "breads": bread,
    "dumplings": dumplings,
    "rice": rice,
    "noodles": noodles,
    "meat": mains,
    "poultry": mains,
    "fish": fish,
    "vegetables": mains,
    "beans and lentils": stew,
    "breakfast": breakfast,
    "savoury pastries": pastries,
    "cakes": cake,
    "sweets": sweets,
    "drinks": drink,
    "sauces": dip,
    "preserves": preserve,
}
