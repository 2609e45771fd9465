"""The convert command: see python convert.py --help."""

if __name__ == "__main__":
    from cyclegan_vc_tf.cli import convert

    convert.main()
