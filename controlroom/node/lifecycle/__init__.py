"""What is done for agents here: started, granted money, looked after."""
