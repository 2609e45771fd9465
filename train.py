"""The train command: see python train.py --help."""

if __name__ == "__main__":
    from cyclegan_vc_tf.cli import train

    train.main()
