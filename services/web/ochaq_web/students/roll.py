"""The demo school's roll: people who are enrolled, whom no job may touch."""

from __future__ import annotations

DOMAIN = "ochaq.localhost"

ROLL = (
    ("Elif", "Yıldız", 22), ("Mert", "Aydın", 24), ("Zeynep", "Şahin", 19), ("Kerem", "Öztürk", 31),
    ("Defne", "Çelik", 20), ("Emre", "Koç", 27), ("Gülşen", "Arslan", 45), ("Ozan", "Güneş", 23),
    ("İrem", "Doğan", 21), ("Barış", "Kılıç", 38), ("Nilufar", "Karimova", 20), ("Aziz", "Rahimov", 25),
    ("Dilnoza", "Yusupova", 29), ("Jasur", "Toʻxtayev", 33), ("Malika", "Ergasheva", 18), ("Sardor", "Qodirov", 41),
    ("Анна", "Соколова", 26), ("Иван", "Морозов", 35), ("Мария", "Лебедева", 19), ("Дмитрий", "Волков", 52),
    ("Grace", "Bennett", 24), ("Daniel", "O'Connor", 30), ("Chloé", "Lefèvre", 22), ("Mateo", "Fernández", 28),
    ("Ingrid", "Sørensen", 34), ("Kenji", "Watanabe", 40), ("Amara", "Okafor", 21), ("Priya", "Raman", 23),
    ("Léa", "Dubois", 17), ("Tomasz", "Wiśniewski", 47),
)  # fmt: skip
