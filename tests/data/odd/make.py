"""Makes the pictures of this folder with Pillow 13: `python make.py` beside them.

All show the same four fields, 32 x 16 pixels: red, green over blue, white. Each is of a kind that the crate `image`
can read but not write.
"""

from PIL import Image

FIELDS = [(0, 0, (220, 30, 30)), (16, 0, (30, 200, 30)), (0, 8, (30, 30, 220)), (16, 8, (250, 250, 250))]
picture = Image.new("RGB", (32, 16))
for x, y, colour in FIELDS:
    picture.paste(colour, (x, y, x + 16, y + 8))
black = Image.new("RGB", picture.size)

palette = picture.quantize(4)
palette.save("palette.png", bits=2)
palette.save("palette-clear.png", bits=2, transparency=bytes([255, 0, 255, 128]))
picture.convert("CMYK").save("cmyk.jpg", quality=90)
picture.convert("CMYK").save("cmyk.tif", compression="tiff_lzw")
picture.save("progressive.jpg", quality=90, progressive=True)
picture.save("restarts.jpg", quality=90, restart_marker_blocks=1)
picture.save("pages.tif", save_all=True, append_images=[black])
picture.save("moving.png", save_all=True, append_images=[black], default_image=False)
picture.save("moving.webp", save_all=True, append_images=[black], lossless=True)
picture.save("moving.gif", save_all=True, append_images=[black])
